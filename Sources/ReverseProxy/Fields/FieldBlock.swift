import HTTPWire

/// Fields that are added to responses: made once, as values and as lines for the wire.
public struct FieldBlock: Sendable {
  public let fields: HTTPFields
  /// `Name: value` with line ends, one after the other.
  public let lines: [UInt8]

  public init(_ fields: HTTPFields) {
    self.fields = fields
    lines = fields.entries.flatMap { Array("\($0.name): \($0.value)\r\n".utf8) }
  }
}
