import CLibPQ

/// One row. Columns are counted from 0; reading one as a type it does not have throws `.decoding`.
public struct PostgresRow: Sendable {
  let result: ResultHandle
  let row: Int32

  public var columnCount: Int { Int(PQnfields(result.pointer)) }

  public func isNull(_ column: Int) -> Bool { PQgetisnull(result.pointer, row, Int32(column)) == 1 }

  // MARK: Values

  public func bool(_ column: Int) throws(PostgresError) -> Bool { try require(column, optionalBool(column)) }
  public func int32(_ column: Int) throws(PostgresError) -> Int32 { try require(column, optionalInt32(column)) }
  /// `bigint`, `integer` or `smallint`.
  public func int64(_ column: Int) throws(PostgresError) -> Int64 { try require(column, optionalInt64(column)) }
  public func double(_ column: Int) throws(PostgresError) -> Double { try require(column, optionalDouble(column)) }
  /// Any textual type, `json`, `jsonb` or an enum's label.
  public func text(_ column: Int) throws(PostgresError) -> String { try require(column, optionalText(column)) }
  public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try require(column, optionalBytes(column)) }
  public func uuid(_ column: Int) throws(PostgresError) -> [UInt8] { try require(column, optionalUUID(column)) }
  public func uuidWords(_ column: Int) throws(PostgresError) -> (UInt64, UInt64) {
    try require(column, optionalUUIDWords(column))
  }
  /// `timestamptz` in microseconds since 1970-01-01T00:00:00Z; infinity is the largest or smallest number.
  public func timestamp(_ column: Int) throws(PostgresError) -> Int64 { try require(column, optionalTimestamp(column)) }

  // MARK: Values or NULL

  public func optionalBool(_ column: Int) throws(PostgresError) -> Bool? {
    guard let bytes = try value(column, PostgresType.bool) else { return nil }
    return try integer(UInt8.self, bytes, column) != 0
  }

  public func optionalInt32(_ column: Int) throws(PostgresError) -> Int32? {
    guard let bytes = try value(column, PostgresType.int4, PostgresType.int2) else { return nil }
    if bytes.count == 2 { return Int32(try integer(Int16.self, bytes, column)) }
    return try integer(Int32.self, bytes, column)
  }

  public func optionalInt64(_ column: Int) throws(PostgresError) -> Int64? {
    guard let bytes = try value(column, PostgresType.int8, PostgresType.int4, PostgresType.int2) else { return nil }
    switch bytes.count {
    case 2: return Int64(try integer(Int16.self, bytes, column))
    case 4: return Int64(try integer(Int32.self, bytes, column))
    default: return try integer(Int64.self, bytes, column)
    }
  }

  public func optionalDouble(_ column: Int) throws(PostgresError) -> Double? {
    guard let bytes = try value(column, PostgresType.float8) else { return nil }
    return Double(bitPattern: try integer(UInt64.self, bytes, column))
  }

  public func optionalText(_ column: Int) throws(PostgresError) -> String? {
    switch PQftype(result.pointer, Int32(column)) {
    case PostgresType.text, PostgresType.varchar, PostgresType.bpchar, PostgresType.name, PostgresType.json,
      PostgresType.firstUserDefined...:
      return isNull(column) ? nil : String(decoding: rawValue(column), as: UTF8.self)
    case PostgresType.jsonb:
      // The first byte is the format's version.
      return isNull(column) ? nil : String(decoding: rawValue(column).dropFirst(), as: UTF8.self)
    default: throw mismatch(column, "text")
    }
  }

  public func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? {
    guard let bytes = try value(column, PostgresType.bytea) else { return nil }
    return Array(bytes)
  }

  public func optionalUUID(_ column: Int) throws(PostgresError) -> [UInt8]? {
    guard let bytes = try value(column, PostgresType.uuid) else { return nil }
    return Array(bytes)
  }

  public func optionalUUIDWords(_ column: Int) throws(PostgresError) -> (UInt64, UInt64)? {
    guard let bytes = try value(column, PostgresType.uuid) else { return nil }
    let high = try integer(UInt64.self, UnsafeRawBufferPointer(rebasing: bytes.prefix(8)), column)
    let low = try integer(UInt64.self, UnsafeRawBufferPointer(rebasing: bytes.dropFirst(8)), column)
    return (high, low)
  }

  public func optionalTimestamp(_ column: Int) throws(PostgresError) -> Int64? {
    guard let bytes = try value(column, PostgresType.timestamptz) else { return nil }
    return Self.unixMicroseconds(try integer(Int64.self, bytes, column))
  }

  // MARK: Arrays of one dimension; NULL throws

  public func textArray(_ column: Int) throws(PostgresError) -> [String] {
    try array(column, PostgresType.textArray, PostgresType.varcharArray) { bytes throws(PostgresError) in
      String(decoding: bytes, as: UTF8.self)
    }
  }

  public func bytesArray(_ column: Int) throws(PostgresError) -> [[UInt8]?] {
    try optionalArray(column, PostgresType.byteaArray) { bytes throws(PostgresError) in Array(bytes) }
  }

  public func uuidArray(_ column: Int) throws(PostgresError) -> [[UInt8]] {
    try array(column, PostgresType.uuidArray) { bytes throws(PostgresError) in Array(bytes) }
  }

  public func int64Array(_ column: Int) throws(PostgresError) -> [Int64] {
    try array(column, PostgresType.int8Array) { bytes throws(PostgresError) in try integer(Int64.self, bytes, column) }
  }

  public func timestampArray(_ column: Int) throws(PostgresError) -> [Int64] {
    try array(column, PostgresType.timestamptzArray) { bytes throws(PostgresError) in
      Self.unixMicroseconds(try integer(Int64.self, bytes, column))
    }
  }

  private func array<Element>(
    _ column: Int, _ types: Oid..., decode: (UnsafeRawBufferPointer) throws(PostgresError) -> Element
  ) throws(PostgresError) -> [Element] {
    var elements: [Element] = []
    try forEachElement(column, types) { bytes throws(PostgresError) in
      guard let bytes else { throw PostgresError.decoding("column \(column): NULL in an array") }
      elements.append(try decode(bytes))
    }
    return elements
  }

  private func optionalArray<Element>(
    _ column: Int, _ types: Oid..., decode: (UnsafeRawBufferPointer) throws(PostgresError) -> Element
  ) throws(PostgresError) -> [Element?] {
    var elements: [Element?] = []
    try forEachElement(column, types) { bytes throws(PostgresError) in
      if let bytes { elements.append(try decode(bytes)) } else { elements.append(nil) }
    }
    return elements
  }

  /// Source: `array_send` in PostgreSQL's `arrayfuncs.c`.
  private func forEachElement(
    _ column: Int, _ types: [Oid], _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> Void
  ) throws(PostgresError) {
    guard types.contains(PQftype(result.pointer, Int32(column))) else { throw mismatch(column, "an array of that type") }
    guard !isNull(column) else { throw .decoding("column \(column) is NULL") }
    var rest = rawValue(column)
    func take(_ count: Int) throws(PostgresError) -> UnsafeRawBufferPointer {
      guard count >= 0, count <= rest.count else { throw .decoding("column \(column): the array is cut short") }
      defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
      return UnsafeRawBufferPointer(rebasing: rest.prefix(count))
    }
    func takeInteger() throws(PostgresError) -> Int32 { try integer(Int32.self, take(4), column) }
    let dimensions = try takeInteger()
    _ = try take(8)  // whether there are NULLs, element type
    guard dimensions > 0 else { return }
    guard dimensions == 1 else { throw .decoding("column \(column): the array has \(dimensions) dimensions") }
    let count = try takeInteger()
    _ = try takeInteger()  // lower bound
    for _ in 0..<max(0, count) {
      let length = try takeInteger()
      try body(length < 0 ? nil : take(Int(length)))
    }
  }

  // MARK: Raw access

  private func rawValue(_ column: Int) -> UnsafeRawBufferPointer {
    // SAFETY: libpq gives the address and length of the value, which live as long as `result`; callers copy at once.
    UnsafeRawBufferPointer(
      start: PQgetvalue(result.pointer, row, Int32(column)),
      count: Int(PQgetlength(result.pointer, row, Int32(column))))
  }

  private func value(
    _ column: Int, _ first: Oid, _ second: Oid = 0, _ third: Oid = 0
  ) throws(PostgresError) -> UnsafeRawBufferPointer? {
    // A column that does not exist has type 0.
    let type = PQftype(result.pointer, Int32(column))
    guard type != 0, type == first || type == second || type == third else {
      throw mismatch(column, "type \(first)")
    }
    return isNull(column) ? nil : rawValue(column)
  }

  private func integer<Value: FixedWidthInteger>(
    _ type: Value.Type, _ bytes: UnsafeRawBufferPointer, _ column: Int
  ) throws(PostgresError) -> Value {
    guard bytes.count == MemoryLayout<Value>.size else { throw mismatch(column, "\(MemoryLayout<Value>.size) bytes") }
    return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
  }

  private func require<Value>(_ column: Int, _ value: Value?) throws(PostgresError) -> Value {
    guard let value else { throw .decoding("column \(column) is NULL") }
    return value
  }

  private func mismatch(_ column: Int, _ wanted: String) -> PostgresError {
    .decoding("column \(column) has type \(PQftype(result.pointer, Int32(column))), not \(wanted)")
  }

  private static func unixMicroseconds(_ value: Int64) -> Int64 {
    if value == .min { return .min }
    let (sum, overflow) = value.addingReportingOverflow(PostgresType.epochOffset)
    return overflow ? .max : sum
  }
}
