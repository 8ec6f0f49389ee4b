import Testing

@testable import GatewayServer

struct HTMLEscapingTests {
  @Test("HTML §13.1.2.3: no mark-up character survives in text or in a quoted attribute")
  func markup() {
    #expect(HTMLEscaping().escapeText("<a href=\"x\" b='y'>&amp;") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;")
  }

  @Test(
    "a mark-up character that Swift joins with its neighbour into one Character is escaped all the same",
    arguments: ["\u{600}", "\u{301}", "\u{200d}", "\u{fe0f}", "\r", "\u{1f3fb}"])
  func joined(neighbour: String) {
    for special in ["<", ">", "\"", "'", "&"] {
      for text in [neighbour + special, special + neighbour, neighbour + special + neighbour] {
        let escaped = HTMLEscaping().escapeText(text)
        #expect(!escaped.utf8.contains { "<>\"'".utf8.contains($0) })
        #expect(escaped.utf8.filter { $0 == UInt8(ascii: "&") }.count == 1)
      }
    }
  }
}
