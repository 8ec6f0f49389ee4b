/// The extensions of one chunk from behind the first `;`, byte by byte: `name [ "=" ( token / quoted-string ) ]`, then `;`
/// and the next. They mean nothing to us, but a quote that only some parsers see would hide a line end from the others.
///
/// White space around `;` and `=`, which the grammar calls bad, is refused.
///
/// Source: RFC 9112 §7.1.1; RFC 9110 §5.6.4 for quoted strings.
struct ChunkExtension: Sendable {
  /// What comes next.
  private enum Expectation: Sendable {
    case name
    case moreName
    case value
    case moreValue
    case quoted
    case escaped
    case delimiter
  }

  private var expectation = Expectation.name

  /// Whether the line may end here.
  var mayEnd: Bool {
    switch expectation {
    case .moreName, .moreValue, .delimiter: true
    case .name, .value, .quoted, .escaped: false
    }
  }

  mutating func take(_ byte: UInt8) throws(WireError) {
    switch (expectation, byte) {
    case (.moreName, UInt8(ascii: ";")), (.moreValue, UInt8(ascii: ";")), (.delimiter, UInt8(ascii: ";")):
      expectation = .name
    case (.moreName, UInt8(ascii: "=")): expectation = .value
    case (.name, _) where ByteClass.isToken(byte), (.moreName, _) where ByteClass.isToken(byte): expectation = .moreName
    case (.value, UInt8(ascii: "\"")): expectation = .quoted
    case (.value, _) where ByteClass.isToken(byte), (.moreValue, _) where ByteClass.isToken(byte): expectation = .moreValue
    case (.quoted, UInt8(ascii: "\"")): expectation = .delimiter
    case (.quoted, UInt8(ascii: "\\")): expectation = .escaped
    case (.quoted, _) where ByteClass.isFieldValue(byte), (.escaped, _) where ByteClass.isFieldValue(byte):
      expectation = .quoted
    default: throw .badChunk
    }
  }
}
