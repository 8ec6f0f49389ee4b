import Broker
import Configuration
import Cryptography
import ReverseProxy
import Testing

@Suite("Whose tokens a route takes")
struct AcceptanceTests {
  private func load(_ accept: String) throws -> [TokenAcceptance] {
    try Fixture.load(Fixture.valid + "\n    accept: \(accept)\n").routes.routes[0].access.accepts
  }

  private func faults(_ accept: String, _ rest: String = "") -> String {
    Fixture.faults(of: Fixture.valid + "\n    accept: \(accept)\n\(rest)").replacing("postern.yaml:", with: "")
  }

  @Test("Postern's own, and nobody else's, unless the file says so")
  func defaults() throws {
    #expect(try Fixture.load(Fixture.valid).routes.routes[0].access.accepts == [.own])
    #expect(try load("[self]") == [.own])
  }

  @Test("DESIGN §7: an issuer of JWTs and an endpoint, with what is assumed of them")
  func spelling() throws {
    let accepts = try load(
      #"[self, { jwt: https://idp.example, audience: gw }, { introspection: https://idp.example/i, client: { id: gw, secret: "${env:KEY}" } }]"#)
    let issuer = ForeignIssuer(identifier: "https://idp.example")
    #expect(issuer.tokenType == .accessToken && issuer.clockSkew == .seconds(30) && issuer.algorithms == SignatureAlgorithm.allCases)
    let service = IntrospectionService(
      endpoint: EndpointURL("https://idp.example/i")!, client: ProviderClient(id: "gw", secret: Secret("api-key-value")),
      lifetime: .seconds(30), stalenessMax: .zero)
    #expect(accepts == [.own, .issuer(issuer, audience: "gw"), .introspection(service, audience: nil)])
  }

  @Test("Every member that is in the file replaces what is assumed")
  func members() throws {
    let issuer = try load(
      "[{ jwt: http://127.0.0.1:1/a, audience: gw, jwks_uri: http://127.0.0.1:1/k, algorithms: [ES256], type: jwt, clock_skew: 5s, "
        + "scope_claim: perms, development: { allow_http: true, allow_private_addresses: true } }]")
    #expect(issuer == [
      .issuer(
        ForeignIssuer(
          identifier: "http://127.0.0.1:1/a", keySetURL: EndpointURL("http://127.0.0.1:1/k"), algorithms: [.es256], tokenType: .jwt,
          clockSkew: .seconds(5), scopeClaim: "perms", allowHTTP: true, allowPrivateAddresses: true), audience: "gw"),
    ])
    let endpoint = try load(
      #"[{ introspection: http://127.0.0.1:1/i, client: { id: gw, secret: "${env:KEY}", authentication: client_secret_post }, audience: a, "#
        + "issuer: https://idp.example, cache: 5s, max_staleness: 1m, development: { allow_http: true } }]")
    let service = IntrospectionService(
      endpoint: EndpointURL("http://127.0.0.1:1/i")!,
      client: ProviderClient(id: "gw", secret: Secret("api-key-value"), authentication: .post), issuer: "https://idp.example",
      lifetime: .seconds(5), stalenessMax: .seconds(60), allowHTTP: true)
    #expect(endpoint == [.introspection(service, audience: "a")])
  }

  @Test("What would let the wrong ones in is told", arguments: [
    ("[{ jwt: https://idp.example }]",
     "38:14: routes[0].accept[0]: \"audience\" is missing; what this issuer calls Postern: a token for anybody else must not be let in"),
    ("[{ jwt: http://idp.example, audience: gw }]",
     "38:21: routes[0].accept[0]: whoever is in between could put keys of his own there; use https, or development: { allow_http: true }"),
    ("[{ jwt: https://idp.example, audience: gw, jwks_uri: http://idp.example/k }]",
     "38:66: routes[0].accept[0]: whoever is in between could put keys of his own there; use https, or development: { allow_http: true }"),
    ("[{ jwt: \"https://idp.example?x\", audience: gw }]",
     "38:21: routes[0].accept[0].jwt must be an https URL without query and fragment (RFC 8414 §2), not \"https://idp.example?x\""),
    ("[{ jwt: https://idp.example, audience: gw, algorithms: [HS256] }]",
     "38:69: routes[0].accept[0].algorithms[0] must be ES256, ES384, EdDSA, RS256, RS384, RS512, PS256, not \"HS256\"; did you mean \"ES256\"?"),
    ("[{ jwt: https://idp.example, audience: gw, algorithms: [] }]", "38:68: routes[0].accept[0].algorithms must not be empty"),
    ("[{ jwt: https://idp.example, audience: gw, clock_skew: 1h }]",
     "38:68: routes[0].accept[0].clock_skew must be from 0ms to 5m, not 1h"),
    ("[{ introspection: http://idp.example/i, client: { id: gw, secret: \"${env:KEY}\" } }]",
     "38:31: routes[0].accept[0]: tokens and the client secret would travel in clear; use https, or development: { allow_http: true }"),
    ("[{ introspection: https://idp.example/i }]",
     "38:14: routes[0].accept[0]: \"client\" is missing; what Postern is there: { id, secret }"),
    ("[{ introspection: https://a.example/i, client: { id: gw, secret: \"${env:KEY}\" } }, { introspection: https://b.example/i, client: { id: gw, secret: \"${env:KEY}\" } }]",
     "38:13: routes[0].accept may name one introspection endpoint: a token is not shown to several parties"),
    ("[other]", "38:14: routes[0].accept[0] must be self, session, or a mapping with jwt or introspection"),
    ("[self, self]", "38:20: routes[0].accept[1]: \"self\" is listed twice"),
    ("[]", "38:13: routes[0].accept must name self, or be left out"),
  ])
  func refused(accept: String, fault: String) {
    #expect(faults(accept) == fault)
  }

  @Test("Routes agree on how far they trust an issuer; only the audience is each one's own")
  func agreement() throws {
    func second(_ entry: String) -> String {
      "  - { name: second, match: { path: /second }, upstream: api, accept: [\(entry)] }\n"
    }
    let first = "[{ jwt: https://idp.example, audience: gw }]"
    #expect(faults(first, second("{ jwt: https://idp.example, audience: other }")) == "")
    #expect(faults(first, second("{ jwt: https://idp.example, audience: gw, type: jwt }"))
      == "39:5: routes[1]: https://idp.example is accepted here under other terms than above; only audience may differ")
  }

  @Test("An anonymous route takes nobody's tokens")
  func contradictions() {
    let anonymous = "\n  - { name: box, match: { path: /box }, upstream: api, anonymous: true, accept: [{ jwt: https://idp.example, audience: gw }] }\n"
    #expect(Fixture.faults(of: Fixture.valid + anonymous) == "postern.yaml:38:81: routes[1]: an anonymous route asks for no token, so it takes nobody's")
  }
}
