import Foundation
import Testing

extension SystemTests {
  private static func route(_ name: String, accept: String) -> String {
    """
      - name: \(name)
        match: { path: /\(name)/** }
        accept: \(accept)
        require: { scopes: [photos.read] }
        upstream: cloudvault
        rewrite: { strip_prefix: /\(name) }

    """
  }

  @Test("RFC 9068 §4: another Postern's JWTs are taken by its published keys, on the routes that say so, also while it is down")
  func foreignIssuer() throws {
    let partner = try Deployment()
    let issuer = "http://127.0.0.1:\(partner.port)"
    let development = "development: { allow_http: true, allow_private_addresses: true }"
    // A token without a resource names the issuer itself as its audience.
    let gateway = try Deployment(
      extra: Self.route("partner", accept: "[{ jwt: \"\(issuer)\", audience: \"\(issuer)\", \(development) }]")
        + Self.route("elsewhere", accept: "[self, { jwt: \"\(issuer)\", audience: \"https://gw.example.com\", \(development) }]"))
    try gateway.startCloudVault()
    let tokens = try (0..<2).map { _ in try partner.serviceJWT() }
    func status(_ path: String, _ token: String) throws -> Int {
      try HTTPClient.get(port: gateway.port, "\(path)/healthz", fields: ["Authorization": "Bearer \(token)"]).status
    }
    #expect(try status("/plain", tokens[0]) == 401)
    #expect(try status("/partner", tokens[0]) == 200)
    #expect(try status("/plain", tokens[0]) == 401, "remembered, and still not this route's")
    #expect(try status("/elsewhere", tokens[0]) == 401, "another audience")
    #expect(try status("/partner", try gateway.serviceJWT()) == 401, "Postern's own, where only the partner's are taken")
    #expect(try status("/elsewhere", try gateway.serviceJWT()) == 200)

    func explain(_ path: String, _ token: String) throws -> Finished {
      try gateway.postern("explain", "GET", path, "-H", "@-", input: "Authorization: Bearer \(token)\n")
    }
    let forwarded = try explain("/partner/healthz", tokens[0])
    #expect(forwarded.status == 0, "\(forwarded.output)\(forwarded.errors)")
    #expect(forwarded.output.contains("jwt \(issuer)") && forwarded.output.contains("\(issuer)#jwt-report"))
    let refused = try explain("/elsewhere/healthz", tokens[0])
    #expect(refused.status == 1)
    #expect(refused.output.contains("https://gw.example.com: the token names \(issuer)"), "\(refused.output)")
    let notTaken = try explain("/partner/healthz", "opaque")
    #expect(notTaken.output.contains("the route takes no token of this kind: an opaque token"), "\(notTaken.output)")

    partner.processes[0].kill()
    #expect(try status("/partner", tokens[1]) == 200, "its keys are known")
    let unreachable = try explain("/partner/healthz", tokens[1])
    #expect(unreachable.output.contains("does not answer"), "\(unreachable.output)")
    for text in [forwarded.output, refused.output, unreachable.output, gateway.processes[0].logText] {
      for token in tokens { #expect(!text.contains(token)) }
    }
  }

  @Test("RFC 7662: tokens that another Postern vouches for are taken while it does, and nobody's when it is down")
  func introspection() throws {
    let partner = try Deployment()
    let gateway = try Deployment(
      extra: Self.route(
        "asked",
        accept: "[self, { introspection: \"http://127.0.0.1:\(partner.port)/oauth/introspect\", "
          + "client: { id: nightly-report, secret: \"${env:PARTNER_SECRET}\" }, cache: 0s, "
          + "development: { allow_http: true, allow_private_addresses: true } }]"),
      environment: ["PARTNER_SECRET": partner.serviceSecret])
    try gateway.startCloudVault()
    let token = try partner.serviceJWT()
    func status(_ token: String) throws -> Int {
      try HTTPClient.get(port: gateway.port, "/asked/healthz", fields: ["Authorization": "Bearer \(token)"]).status
    }
    for _ in 0..<3 { #expect(try status(token) == 200) }
    #expect(try status("unknown") == 401)
    let revoked = try HTTPClient.post(
      port: partner.port, "/oauth/revoke",
      form: [("token", token)] + partner.jwtReport)
    #expect(revoked.status == 200)
    #expect(try status(token) == 401)
    let another = try partner.serviceJWT()
    #expect(try status(another) == 200)
    partner.processes[0].kill()
    #expect(try status(another) == 503)
    #expect(try status(try gateway.serviceToken()) == 200)
    let log = gateway.processes[0].logText
    for secret in [token, another, partner.serviceSecret] { #expect(!log.contains(secret)) }
  }
}
