import HTTPWire
import Testing

@testable import ReverseProxy

@Suite("Cross-origin access") struct CrossOriginTests {
  private static let app = try! Origin("https://app.example")
  private static let other = try! Origin("https://other.example:8443")

  private func fields(_ rule: CrossOriginRule, from origin: String?) -> HTTPFields {
    let answers = CrossOriginAnswers(rule)
    guard let origin else { return answers.block(for: nil).fields }
    return answers.block(for: Array(origin.utf8).span).fields
  }

  @Test(
    "Fetch §4.9: an origin is let in byte for byte, and nothing that only looks like it",
    arguments: [
      "null", "*", "", "https://app.example/", "https://app.example.", "http://app.example", "https://app.example:443",
      "HTTPS://APP.EXAMPLE", "https://app.example.evil.example", "https://evilapp.example", "https://app.exampl",
      "https://other.example", "https://app.example https://app.example",
    ])
  func strangers(_ origin: String) {
    let rule = CrossOriginRule(origins: .listed([Self.app, Self.other]), allowsCredentials: true)
    #expect(fields(rule, from: origin).entries.map(\.name) == ["Vary"])
    let preflight = CrossOriginAnswers(rule).preflight(from: Array(origin.utf8).span, asking: .put)
    #expect(preflight.entries.map(\.name) == ["Vary"])
  }

  @Test("Fetch §3.3.3: a listed origin is named, with Vary: Origin; credentials only where the rule has them")
  func listed() {
    for (origin, credentials) in [("https://app.example", true), ("https://other.example:8443", false)] {
      let rule = CrossOriginRule(
        origins: .listed([Self.app, Self.other]), allowsCredentials: credentials, exposedFields: ["X-Total"])
      let fields = fields(rule, from: origin)
      #expect(fields["Access-Control-Allow-Origin"] == origin)
      #expect(fields["Access-Control-Allow-Credentials"] == (credentials ? "true" : nil))
      #expect(fields["Vary"] == "Origin")
      let exposed = fields["Access-Control-Expose-Headers"]
      #expect(exposed?.contains("WWW-Authenticate") == true && exposed?.hasSuffix(", X-Total") == true)
    }
    #expect(fields(CrossOriginRule(origins: .listed([Self.app])), from: nil).entries.map(\.name) == ["Vary"])
  }

  @Test("any origin gets the wildcard, which no cache has to tell apart, and never credentials")
  func anybody() {
    for origin in ["https://whoever.example", "null", nil] {
      let fields = fields(CrossOriginRule(origins: .any), from: origin)
      #expect(fields["Access-Control-Allow-Origin"] == "*")
      #expect(fields["Vary"] == nil && fields["Access-Control-Allow-Credentials"] == nil)
    }
  }

  @Test("Fetch §3.3.3: a preflight is told methods, fields and how long it may be remembered")
  func preflight() {
    let origin = Array("https://app.example".utf8)
    let plain = CrossOriginAnswers(CrossOriginRule(origins: .listed([Self.app])))
    let answer = plain.preflight(from: origin.span, asking: .delete)
    #expect(answer["Access-Control-Allow-Methods"] == "DELETE")
    #expect(answer["Access-Control-Allow-Headers"] == "Authorization, Content-Type")
    #expect(answer["Access-Control-Max-Age"] == "7200")
    let narrow = CrossOriginAnswers(
      CrossOriginRule(
        origins: .listed([Self.app]), methods: [.get, .put], requestFields: ["X-A"], maxAge: .seconds(5)))
    let narrowAnswer = narrow.preflight(from: origin.span, asking: .delete)
    #expect(narrowAnswer["Access-Control-Allow-Methods"] == "GET, PUT")
    #expect(narrowAnswer["Access-Control-Allow-Headers"] == "X-A")
    #expect(narrowAnswer["Access-Control-Max-Age"] == "5")
  }

  @Test("an upstream's fields of the protocol are known without case, and no others")
  func upstreamFields() {
    for name in ["Access-Control-Allow-Origin", "access-control-max-age", "ACCESS-CONTROL-EXPOSE-HEADERS"] {
      let isOwn = CrossOriginAnswers.isOwn(responseField: Array(name.utf8).span)
      #expect(isOwn, "\(name)")
    }
    for name in ["Access-Control-", "Access-Contro", "Vary", "X-Access-Control-Allow-Origin"] {
      let isOwn = CrossOriginAnswers.isOwn(responseField: Array(name.utf8).span)
      #expect(!isOwn, "\(name)")
    }
  }
}
