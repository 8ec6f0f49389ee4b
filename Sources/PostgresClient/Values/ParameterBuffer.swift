import CLibPQ

/// Encodes parameters in PostgreSQL's binary format, into memory that is kept from statement to statement.
///
/// Source: the `…recv` function of each type in PostgreSQL's `src/backend/utils/adt`.
struct ParameterBuffer {
  /// More is given back after use: one large value must not stay with every connection.
  private static let keptByteCountMax = 64 * 1024

  private var bytes: [UInt8] = []
  /// Where each value starts; nil for NULL.
  private var offsets: [Int?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []
  private var pointers: [UnsafePointer<CChar>?] = []

  /// Encodes `values` and lends them in the shape of `PQsendQueryPrepared`: values, lengths, formats.
  mutating func withEncoded<Result>(
    _ values: [PostgresValue],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
  ) -> Result {
    bytes.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    pointers.removeAll(keepingCapacity: true)
    while formats.count < values.count { formats.append(1) }
    for value in values {
      let start = bytes.count
      let isPresent = append(value)
      offsets.append(isPresent ? start : nil)
      lengths.append(Int32(bytes.count - start))
    }
    defer { if bytes.capacity > Self.keptByteCountMax { bytes = [] } }
    // One byte more, so that an empty value at the end has an address too: a null pointer would mean NULL.
    bytes.append(0)
    return bytes.withUnsafeBufferPointer { buffer in
      // SAFETY: every offset is at most `buffer.count - 1`, and libpq copies the values before `body` returns.
      let base = UnsafeRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self)
      for offset in offsets { pointers.append(offset.map { base + $0 }) }
      return body(pointers, lengths, formats)
    }
  }

  /// - Returns: false for NULL.
  private mutating func append(_ value: PostgresValue) -> Bool {
    switch value {
    case .null: return false
    case .bool(let value): return appendScalar(value) { $0.bytes.append($1 ? 1 : 0) }
    case .int32(let value): return appendScalar(value) { $0.append(integer: $1) }
    case .int64(let value): return appendScalar(value) { $0.append(integer: $1) }
    case .double(let value): return appendScalar(value) { $0.append(integer: $1.bitPattern) }
    case .text(let value): return appendScalar(value) { $0.bytes.append(contentsOf: $1.utf8) }
    case .bytes(let value): return appendScalar(value) { $0.bytes.append(contentsOf: $1) }
    case .uuid(let value): return appendScalar(value) { $0.append(uuid: $1) }
    case .uuidWords(let high, let low):
      append(integer: high)
      append(integer: low)
      return true
    case .timestamp(let value): return appendScalar(value) { $0.append(timestamp: $1) }
    case .json(let value): return appendScalar(value) { $0.append(json: $1) }
    case .boolArray(let values): appendArray(PostgresType.bool, values) { $0.bytes.append($1 ? 1 : 0) }
    case .int32Array(let values): appendArray(PostgresType.int4, values) { $0.append(integer: $1) }
    case .int64Array(let values): appendArray(PostgresType.int8, values) { $0.append(integer: $1) }
    case .textArray(let values): appendArray(PostgresType.text, values) { $0.bytes.append(contentsOf: $1.utf8) }
    case .bytesArray(let values): appendArray(PostgresType.bytea, values) { $0.bytes.append(contentsOf: $1) }
    case .uuidArray(let values): appendArray(PostgresType.uuid, values) { $0.append(uuid: $1) }
    case .uuidWordsArray(let values):
      appendArray(PostgresType.uuid, values) {
        $0.append(integer: $1.0)
        $0.append(integer: $1.1)
      }
    case .timestampArray(let values): appendArray(PostgresType.timestamptz, values) { $0.append(timestamp: $1) }
    case .jsonArray(let values): appendArray(PostgresType.jsonb, values) { $0.append(json: $1) }
    }
    return true
  }

  @inline(__always)
  private mutating func appendScalar<Value>(_ value: Value?, _ body: (inout Self, Value) -> Void) -> Bool {
    guard let value else { return false }
    body(&self, value)
    return true
  }

  /// Dimensions, whether there are NULLs, element type, length, lower bound, then each element behind its length.
  /// An empty array has no dimension at all. Source: `array_recv` in PostgreSQL's `arrayfuncs.c`.
  @inline(__always)
  private mutating func appendArray<Element>(
    _ elementType: Oid, _ values: [Element?], _ body: (inout Self, Element) -> Void
  ) {
    append(integer: Int32(values.isEmpty ? 0 : 1))
    append(integer: Int32(values.contains { $0 == nil } ? 1 : 0))
    append(integer: elementType)
    guard !values.isEmpty else { return }
    append(integer: Int32(values.count))
    append(integer: Int32(1))
    for value in values {
      guard let value else {
        append(integer: Int32(-1))
        continue
      }
      let start = bytes.count
      append(integer: Int32(0))
      body(&self, value)
      let length = UInt32(bytes.count - start - 4)
      for position in 0..<4 { bytes[start + position] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(position))) }
    }
  }

  private mutating func append(integer: some FixedWidthInteger) {
    withUnsafeBytes(of: integer.bigEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func append(uuid: [UInt8]) {
    precondition(uuid.count == 16, "a uuid has 16 bytes")
    bytes.append(contentsOf: uuid)
  }

  /// Saturates, since both ends of the range mean infinity to PostgreSQL.
  private mutating func append(timestamp: Int64) {
    let (value, overflow) = timestamp.subtractingReportingOverflow(PostgresType.epochOffset)
    append(integer: overflow ? Int64.min : value)
  }

  /// `jsonb` starts with its format's version, 1.
  private mutating func append(json: String) {
    bytes.append(1)
    bytes.append(contentsOf: json.utf8)
  }
}
