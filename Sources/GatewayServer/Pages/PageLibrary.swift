import Mustache

/// A page: its values, which are the stored properties, and the Mustache text that shows them as `page.…`.
protocol Page: Sendable {
  /// Extends `PageLayout` with the blocks `title` and `main`.
  static var template: String { get }
}

/// Every page of Postern, parsed once at start.
struct PageLibrary: Sendable {
  /// What every page shows.
  struct Site: Sendable {
    /// Whom the resource owner is talking to: host, and port if unusual, of the issuer.
    let host: String
    let stylesheet = Stylesheet.text
  }

  private struct Rendering {
    let site: Site
    let page: any Page
  }

  let site: Site
  private let templates: MustacheLibrary

  /// - Parameter issuerHost: shown at the head of every page, so that a look-alike can be told apart.
  init(issuerHost: String) {
    site = Site(host: issuerHost)
    MustacheContentTypes.register(HTMLEscaping(), named: HTMLEscaping.name)
    let pages: [any Page.Type] = [SignInPage.self, ConsentPage.self, AccountPage.self, ConnectPage.self, ErrorPage.self]
    var templates = MustacheLibrary()
    templates.register(parsing: PageLayout.template, named: PageLayout.name)
    for page in pages { templates.register(parsing: page.template, named: "\(page)") }
    self.templates = templates
  }

  /// - Returns: a whole HTML document in UTF-8.
  func render(_ page: some Page) -> [UInt8] {
    guard let text = templates.render(Rendering(site: site, page: page), withTemplate: "\(type(of: page))") else {
      preconditionFailure("\(type(of: page)) is missing in PageLibrary.init")
    }
    return Array(text.utf8)
  }
}

extension MustacheLibrary {
  /// Every template starts by naming our escaping, so none can forget it.
  fileprivate mutating func register(parsing text: String, named name: String) {
    do {
      try register("{{% CONTENT_TYPE:\(HTMLEscaping.name)}}" + text, named: name)
    } catch {
      preconditionFailure("template \(name) does not parse: \(error)")
    }
  }
}

/// Escapes text for HTML content and for quoted attribute values.
///
/// The library's own escaping compares whole characters: `<` next to a combining mark or a prepending sign (U+0600) is
/// another character to Swift and would pass, but is `<` to a browser. This one looks at bytes, as browsers do.
struct HTMLEscaping: MustacheContentType {
  static let name = "POSTERN"

  func escapeText(_ text: String) -> String {
    var escaped: [UInt8] = []
    escaped.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "<"): escaped.append(contentsOf: "&lt;".utf8)
      case UInt8(ascii: ">"): escaped.append(contentsOf: "&gt;".utf8)
      case UInt8(ascii: "&"): escaped.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "\""): escaped.append(contentsOf: "&quot;".utf8)
      case UInt8(ascii: "'"): escaped.append(contentsOf: "&#39;".utf8)
      default: escaped.append(byte)
      }
    }
    return String(decoding: escaped, as: UTF8.self)
  }
}
