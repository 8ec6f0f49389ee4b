/// A piece of HTML. What is written in the source stands as it is; text that is interpolated is escaped, for content and
/// for quoted attribute values alike.
struct HTML: Sendable, ExpressibleByStringInterpolation {
  let source: String

  init(stringLiteral source: String) { self.source = source }
  init(stringInterpolation interpolation: StringInterpolation) { source = interpolation.source }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity) }

    mutating func appendLiteral(_ literal: String) { source += literal }
    mutating func appendInterpolation(_ html: HTML) { source += html.source }
    mutating func appendInterpolation(_ list: [HTML]) { for html in list { source += html.source } }

    /// By bytes, as browsers read: `<` next to a combining mark is another `Character`, but the same tag.
    mutating func appendInterpolation(_ text: String) {
      var escaped: [UInt8] = []
      for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "<"): escaped += "&lt;".utf8
        case UInt8(ascii: ">"): escaped += "&gt;".utf8
        case UInt8(ascii: "&"): escaped += "&amp;".utf8
        case UInt8(ascii: "\""): escaped += "&quot;".utf8
        case UInt8(ascii: "'"): escaped += "&#39;".utf8
        default: escaped.append(byte)
        }
      }
      source += String(decoding: escaped, as: UTF8.self)
    }
  }
}
