import Configuration
import ReverseProxy
import Testing

/// `cors` and the other policies of a route. Faults are written as in `ConfigurationFaultTests`.
@Suite("Route policies in the configuration") struct RoutePolicyConfigurationTests {
  private static func with(_ lines: String) -> String {
    Fixture.valid.replacing("upstream: api", with: "upstream: api\n    \(lines)", maxReplacements: 1)
  }

  static func route(_ lines: String) throws -> Route { try Fixture.load(with(lines)).routes.routes[0] }

  @Test("cors says which origins may, and what")
  func crossOrigin() throws {
    let rule = try #require(
      try Self.route(
        "cors: { origins: [https://app.example, \"http://localhost:3000\"], credentials: true, methods: [PUT], headers: [X-A], "
          + "expose: [X-B], max_age: 10m }"
      ).crossOrigin)
    #expect(rule == CrossOriginRule(
      origins: .listed([try Origin("https://app.example"), try Origin("http://localhost:3000")]), allowsCredentials: true,
      methods: [.put], requestFields: ["X-A"], exposedFields: ["X-B"], maxAge: .seconds(600)))
    #expect(try Self.route("cors: { origins: [\"*\"] }").crossOrigin == CrossOriginRule(origins: .any))
    #expect(try Fixture.load(Fixture.valid).routes.routes[0].crossOrigin == nil)
  }

  @Test("a rate has a key, a number of requests in a second, minute or hour, and a burst of as many unless said otherwise")
  func rate() throws {
    #expect(
      try Self.route("limits: { body: 1MiB, rate: { key: client, rate: 100/s, burst: 200 } }").limits
        == RouteLimits(bodyBytesMax: 1 << 20, rate: RateRule(key: .client, count: 100, period: 1, burst: 200)))
    #expect(
      try Self.route("limits: { rate: { key: address, rate: 30/m } }").limits.rate
        == RateRule(key: .address, count: 30, period: 60, burst: 30))
    #expect(try Self.route("limits: { rate: { key: subject, rate: 5/h } }").limits.rate?.period == 3600)
  }

  @Test("an anonymous route cannot have a rate per client")
  func anonymousRate() {
    let text = Self.with("limits: { rate: { key: client, rate: 1/s } }")
      .replacing("require: { scopes: [photos.read] }", with: "anonymous: true")
    #expect(
      Fixture.faults(of: text)
        == "postern.yaml:38:28: routes[0].limits.rate.key: an anonymous route does not know its callers; its key is address")
  }

  @Test("a route that accepts sessions says what they are good for, on the host of Postern's pages")
  func sessions() throws {
    let route = try Self.route("accept: [self, session]\n    session: { scopes: [photos.read] }")
    #expect(route.access.accepts == [.own] && route.access.session == SessionRule(scopes: ["photos.read"]))
    #expect(try Self.route("accept: [session]\n    session: { scopes: [photos.read] }").access.accepts.isEmpty)
    let text = Self.with("accept: [self, session]\n    session: { scopes: [photos.read] }")
    #expect(try Fixture.load(text.replacing("path: /photos/**", with: "host: auth.example.com, path: /photos/**")).routes.routes.count == 1)
    #expect(
      Fixture.faults(of: text.replacing("path: /photos/**", with: "host: gw.example.com, path: /photos/**"))
        == "postern.yaml:38:13: routes[0]: browsers send the session to auth.example.com only, not to gw.example.com")
    let anonymous = Fixture.valid.replacing("require: { scopes: [photos.read] }", with: "anonymous: true\n    accept: [session]")
    #expect(
      Fixture.faults(of: anonymous)
        == "postern.yaml:33:5: routes[0]: an anonymous route asks nobody who they are, so it accepts no session")
  }

  @Test("RFC 9728: every route that asks for a token names its metadata in its challenges")
  func resourceMetadata() throws {
    #expect(
      try Fixture.load(Fixture.valid).routes.routes[0].access.resourceMetadata
        == "https://auth.example.com/.well-known/oauth-protected-resource/photos")
  }

  static let faults: [(lines: String, faults: String)] = [
    ("cors: {}", "38:11: routes[0].cors: \"origins\" is missing; such as [https://app.example]"),
    ("cors: { origins: [] }", "38:22: routes[0].cors.origins must not be empty"),
    ("cors: { origins: [\"*\"], credentials: true }",
     "38:11: routes[0].cors: credentials need origins by name: \"*\" would let every site act for its visitors"),
    ("cors: { origins: [https://a.example, \"*\"] }", "38:42: routes[0].cors.origins[1]: \"*\" stands alone"),
    ("cors: { origins: [\"null\"] }", "38:23: routes[0].cors.origins[0]: null is the origin of nobody in particular"),
    ("cors: { origins: [https://a.example/] }",
     "38:23: routes[0].cors.origins[0] must be written \"https://a.example\", as browsers write it"),
    ("cors: { origins: [https://a.example/x] }",
     "38:23: routes[0].cors.origins[0]: The URL must end after host and port, without path, query or fragment."),
    ("cors: { origins: [http://a.example] }",
     "38:23: routes[0].cors.origins[0] must begin with https://; http:// is for loopback addresses only"),
    ("cors: { origins: [https://a.example], headers: [\"*\"] }", "38:53: routes[0].cors.headers[0]: \"*\" is no field name"),
    ("cors: { origins: [https://a.example], methods: [TRACE] }",
     "38:53: routes[0].cors.methods[0]: \"TRACE\" is no method that a route serves"),
    ("cors: { origins: [https://a.example], max_age: 2d }",
     "38:52: routes[0].cors.max_age must be from 1s to 1d, not 2d"),
    ("accept: [self, session]",
     "33:5: routes[0]: accounts have no scopes of their own; write session: { scopes: [photos.read] } if whoever is signed in may use this route"),
    ("accept: [self, session, session]", "38:29: routes[0].accept[2]: \"session\" is listed twice"),
    ("accept: [self, session]\n    session: { scopes: [photo.read] }",
     "33:5: routes[0]: accounts have no scopes of their own; write session: { scopes: [photos.read] } if whoever is signed in may use this route\n39:25: scope \"photo.read\" is not declared under scopes; did you mean \"photos.read\"?"),
    ("session: { scopes: [photos.read] }",
     "38:14: routes[0]: session says what a session is good for; accept must name session, too"),
    ("limits: { rate: { key: client } }", "38:21: routes[0].limits.rate: \"rate\" is missing; such as 100/s"),
    ("limits: { rate: { key: ip, rate: 1/s } }",
     "38:28: routes[0].limits.rate.key must be client, subject, address, not \"ip\""),
    ("limits: { rate: { key: client, rate: 100 } }",
     "38:42: routes[0].limits.rate.rate must be a rate such as 100/s, 600/m or 5000/h, not \"100\""),
    ("limits: { rate: { key: client, rate: 1.5/s } }",
     "38:42: routes[0].limits.rate.rate must be a rate such as 100/s, 600/m or 5000/h, not \"1.5/s\""),
    ("limits: { rate: { key: client, rate: 0/s } }",
     "38:42: routes[0].limits.rate.rate must be from 1 to 1000000 requests, not 0/s"),
    ("limits: { rate: { key: client, rate: 1/s, burst: 0 } }",
     "38:54: routes[0].limits.rate.burst must be from 1 to 1000000, not 0"),
  ]

  @Test("a fault is told with line and column", arguments: faults)
  func tells(lines: String, faults: String) {
    let expected = faults.split(separator: "\n").map { "postern.yaml:\($0)" }.joined(separator: "\n")
    #expect(Fixture.faults(of: Self.with(lines)) == expected)
  }
}
