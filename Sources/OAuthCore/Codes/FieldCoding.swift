/// Writes fields one after another, each with its length, for sealing.
struct FieldWriter {
  private(set) var bytes: [UInt8] = []

  mutating func byte(_ value: UInt8) { bytes.append(value) }

  mutating func integer(_ value: Int64) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }

  mutating func locator(_ value: Locator) { bytes.append(contentsOf: value.bytes) }

  /// At most 65 535 bytes; what is sealed was bounded when it was read.
  mutating func text(_ value: String) {
    let count = UInt16(value.utf8.count)
    bytes.append(UInt8(count >> 8))
    bytes.append(UInt8(truncatingIfNeeded: count))
    bytes.append(contentsOf: value.utf8)
  }

  mutating func texts(_ values: [String]) {
    byte(UInt8(values.count))
    for value in values { text(value) }
  }

  /// A mark, then the value if there is one.
  mutating func optional<Value>(_ value: Value?, _ write: (inout FieldWriter, Value) -> Void) {
    byte(value == nil ? 0 : 1)
    if let value { write(&self, value) }
  }
}

/// Reads what `FieldWriter` wrote. Every step is nil at the end of the bytes, so another layout never traps.
struct FieldReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> UInt8? { rest.popFirst() }

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func integer() -> Int64? {
    take(8).map { $0.reduce(0) { $0 << 8 | Int64($1) } }
  }

  mutating func locator() -> Locator? { take(16).flatMap { Locator(bytes: $0) } }

  mutating func text() -> String? {
    guard let high = byte(), let low = byte(), let bytes = take(Int(high) << 8 | Int(low)) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  mutating func texts() -> [String]? {
    guard let count = byte() else { return nil }
    var values: [String] = []
    for _ in 0..<count {
      guard let value = text() else { return nil }
      values.append(value)
    }
    return values
  }

  /// Outer nil: unreadable; inner nil: there is no value.
  mutating func optional<Value>(_ read: (inout FieldReader) -> Value?) -> Value?? {
    switch byte() {
    case 0: return .some(nil)
    case 1: return read(&self).map { .some($0) }
    default: return nil
    }
  }
}
