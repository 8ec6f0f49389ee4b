/// base64 with padding. Source: RFC 4648 §4.
///
/// Decoding is strict: exact padding, no white space, canonical trailing bits.
public enum Base64 {
  public static func encode(_ bytes: [UInt8]) -> String {
    encodeUnpadded(bytes, .standard, padding: (3 - bytes.count % 3) % 3)
  }

  public static func decode(_ text: String) -> [UInt8]? { decode(Array(text.utf8)) }

  public static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let padding = text.reversed().prefix(2).prefix { $0 == UInt8(ascii: "=") }.count
    return decodeUnpadded(text.dropLast(padding), .standard)
  }
}
