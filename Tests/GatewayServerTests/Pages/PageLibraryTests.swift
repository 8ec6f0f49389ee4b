import OAuthCore
import Testing

@testable import GatewayServer

struct PageLibraryTests {
  private let library = PageLibrary(issuerHost: "auth.example.com")
  /// Breaks out of text, of attributes, and, next to U+0600, out of escaping that looks at whole characters.
  private static let attack = "\u{600}<script>alert(1)</script>\"\u{301} autofocus onfocus=alert(1) x='{{page.csrf}}{{{site.host}}}"

  private func html(_ page: some Page) -> String { String(decoding: library.render(page), as: UTF8.self) }

  private var everyPage: [String] {
    let attack = Self.attack
    let lines = [ScopeLine(meaning: attack, scope: attack)]
    let day = CalendarDay(Timestamp(seconds: 0))
    return [
      html(SignInPage(clientName: attack, username: attack, problem: attack, isRefused: true, notice: attack, request: attack, csrf: attack)),
      html(ConsentPage(
        clientName: attack, asked: lines, allowedBefore: lines, destination: attack, username: attack, request: attack, csrf: attack)),
      html(AccountPage(
        username: attack, apps: [.init(clientID: attack, name: attack, scopes: lines, since: day)], notice: attack, csrf: attack)),
      html(ErrorPage(heading: attack, explanation: attack, advice: attack, requestID: attack)),
    ]
  }

  @Test("no value of a page can become mark-up, wherever it is shown")
  func escaping() {
    let unescapedQuote = "\"\u{301}"
    for page in everyPage {
      #expect(page.contains("&lt;script&gt;"))
      // By bytes: a search by characters would miss what Swift joins with a neighbour.
      let hasTag = Array(page.utf8).contains(sequence: "<script")
      let endsAttribute = Array(page.utf8).contains(sequence: unescapedQuote)
      #expect(!hasTag && !endsAttribute)
      #expect(page.contains("{{page.csrf}}{{{site.host}}}"), "a value is never parsed as a template")
    }
  }

  @Test("every page has a language, a title, one h1 and a main landmark, and no script, style attribute or foreign resource")
  func structure() {
    for page in everyPage {
      #expect(page.hasPrefix("<!doctype html>\n<html lang=\"en\">"))
      #expect(page.count(of: "<h1>") == 1)
      #expect(page.count(of: "<main") == 1)
      #expect(page.count(of: "<title>") == 1)
      #expect(page.contains("auth.example.com</title>"))
      #expect(!page.contains("style=\""))
      #expect(!page.contains("src=") && !page.contains("https://"))
    }
  }

  @Test("every field has a label; password managers and screen readers find what they need")
  func labels() {
    let page = html(SignInPage(username: "alice", problem: "Wrong.", isRefused: true, csrf: "c"))
    for field in ["username", "password"] {
      #expect(page.contains("<label for=\"\(field)\">") && page.contains("id=\"\(field)\""))
    }
    #expect(page.contains("autocomplete=\"username\"") && page.contains("autocomplete=\"current-password\""))
    #expect(page.count(of: "aria-describedby=\"problem\"") == 2 && page.contains("role=\"alert\" id=\"problem\""))
  }

  @Test("Deny stands before Allow, and neither is pressed for the resource owner")
  func choice() throws {
    let page = html(
      ConsentPage(clientName: "PrintMyPics", asked: [], destination: "printmypics.example", username: "alice", request: "r", csrf: "c"))
    let deny = try #require(page.range(of: "value=\"deny\""))
    let allow = try #require(page.range(of: "value=\"approve\""))
    #expect(deny.lowerBound < allow.lowerBound)
    #expect(!page.contains("autofocus"))
  }

  @Test("a scope without description is shown by its name, once")
  func bareScope() {
    let page = html(
      ConsentPage(
        clientName: "PrintMyPics", asked: [ScopeLine(meaning: "prints:order", scope: nil)], destination: "d", username: "alice",
        request: "r", csrf: "c"))
    #expect(page.count(of: "prints:order") == 1)
  }
}

extension String {
  func count(of part: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.range(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }

  func range(of part: String) -> Range<Index>? { self[...].range(of: part) }
}

extension Substring {
  func range(of part: String) -> Range<Index>? { ranges(of: part).first }
}

extension [UInt8] {
  func contains(sequence part: String) -> Bool {
    let part = Array(part.utf8)
    return indices.contains { self[$0...].starts(with: part) }
  }
}
