import HTTPWire
import OAuthCore

/// A browser without script: keeps cookies, follows redirects of its own site, fills in and submits forms.
final class TestBrowser {
  private let server: TestServer
  private(set) var cookies: [String: String] = [:]
  /// The last answer that was not a redirect within the site.
  private(set) var response = HTTPResponse(status: 0)
  /// Every address asked for, in order.
  private(set) var history: [String] = []
  var remoteAddress = "192.0.2.1"

  init(_ server: TestServer) { self.server = server }

  var page: String { String(decoding: response.body, as: UTF8.self) }

  /// Where the last answer sends the browser; nil: nowhere.
  var location: String? { response.fields["Location"] }

  /// The decoded query of `location`.
  var answer: [String: String] {
    guard let query = location?.split(separator: "?", maxSplits: 1).dropFirst().first else { return [:] }
    guard let form = try? FormDecoder.decode(Array(query.utf8)) else { return [:] }
    return Dictionary(form.pairs.map { ($0.name, $0.value) }) { first, _ in first }
  }

  func get(_ target: String) async { await send(request("GET", target)) }

  /// Submits the form of the shown page that posts to `action`, with its hidden fields.
  ///
  /// - Parameter fields: typed in, or the button that was pressed; they replace hidden fields of the same name.
  func submit(_ action: String, _ fields: [String: String] = [:]) async {
    await post(action, hiddenFields(of: action).merging(fields) { _, typed in typed })
  }

  func post(_ target: String, _ fields: [String: String], header: HTTPFields = [:]) async {
    var request = request("POST", target)
    request.fields.append("Content-Type", "application/x-www-form-urlencoded")
    for (name, value) in header.entries { request.fields[name] = value }
    request.body = Array(PercentEncoding.form(fields.map { ($0.key, $0.value) }).utf8)
    await send(request)
  }

  /// The hidden fields of the form of the shown page that posts to `action`; empty: there is no such form.
  func hiddenFields(of action: String) -> [String: String] {
    guard let start = page.range(of: "<form method=\"post\" action=\"\(action)\">") else { return [:] }
    let rest = page[start.upperBound...]
    let form = rest.range(of: "</form>").map { rest[..<$0.lowerBound] } ?? rest
    var fields: [String: String] = [:]
    for input in form.split(separator: "<input type=\"hidden\" name=\"").dropFirst() {
      let parts = input.split(separator: "\"", maxSplits: 3, omittingEmptySubsequences: false)
      fields[String(parts[0])] = String(parts[2])
    }
    return fields
  }

  func plant(_ cookies: [String: String]) { self.cookies = cookies }

  private func request(_ method: String, _ target: String) -> HTTPRequest {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var request = HTTPRequest(method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : nil)
    request.remoteAddress = remoteAddress
    return request
  }

  private func send(_ request: HTTPRequest) async {
    var request = request
    if !cookies.isEmpty {
      request.fields.append("Cookie", cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; "))
    }
    history.append(request.path + (request.query.map { "?\($0)" } ?? ""))
    response = await server.respond(to: request)
    for setCookie in response.fields.all("Set-Cookie") { keep(setCookie) }
    if let location, location.hasPrefix("/") {
      precondition(history.count < 100, "redirects in circles")
      await get(location)
    }
  }

  private func keep(_ setCookie: String) {
    let pair = setCookie.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    cookies[String(pair[0])] = setCookie.contains("Max-Age=0") ? nil : String(pair[1])
  }
}
