import Testing

@testable import CloudVaultDemo

struct HTMLTests {
  @Test("Interpolated text is escaped, also beside characters that merge with a tag's first", arguments: [
    ("<b>", "&lt;b&gt;"), ("\"x' onclick=", "&quot;x&#39; onclick="), ("&lt;", "&amp;lt;"), ("<\u{301}b>", "&lt;\u{301}b&gt;"),
    ("\u{600}<b>", "\u{600}&lt;b&gt;"),
  ])
  func escaped(text: String, source: String) {
    let html: HTML = "\(text)"
    #expect(html.source == source)
  }

  @Test("HTML within HTML stays as it is")
  func nested() {
    let inner: HTML = "<b>\("&")</b>"
    let outer: HTML = "<p>\(inner)\([inner, inner])</p>"
    #expect(outer.source == "<p><b>&amp;</b><b>&amp;</b><b>&amp;</b></p>")
  }
}
