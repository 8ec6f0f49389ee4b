import OAuthCore
import Testing

@testable import ReverseProxy

@Suite("Protected resources") struct ProtectedResourceTests {
  private static let issuer = try! Origin("https://auth.example.com")

  private static func route(_ name: String, _ path: String, host: String? = nil, _ access: AccessPolicy) throws -> Route {
    Route(name: name, host: host, pattern: try PathPattern(path), access: access, upstream: "up")
  }

  @Test(
    "RFC 9728 §3.1: the well-known path stands between host and path",
    arguments: [
      ("https://gw.example.com/crm", "https://gw.example.com/.well-known/oauth-protected-resource/crm"),
      ("https://gw.example.com", "https://gw.example.com/.well-known/oauth-protected-resource"),
      ("https://gw.example.com/", "https://gw.example.com/.well-known/oauth-protected-resource"),
      ("https://gw.example.com:8443/a/b/", "https://gw.example.com:8443/.well-known/oauth-protected-resource/a/b/"),
      ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/.well-known/oauth-protected-resource/a"),
    ])
  func metadataURL(_ identifier: String, _ url: String) throws {
    let resource = try #require(ProtectedResource(identifier))
    #expect(resource.metadataURL == url)
    #expect(resource.identifier == identifier)
  }

  @Test(
    "RFC 9728 §1.2: what is no https URL, or could break out of a challenge, is no resource identifier",
    arguments: [
      "urn:example:crm", "gw", "", "https://", "http://gw.example.com/crm", "https://gw.example.com/crm?x=1",
      "https://gw.example.com/crm#x", "https://gw.example.com/a\"b", "https://gw.example.com/a\\b",
      "https://gw.example.com/a b", "https://u@gw.example.com/", "HTTPS://gw.example.com/a",
    ])
  func notOne(_ identifier: String) { #expect(ProtectedResource(identifier) == nil) }

  @Test("a route goes by its audience, or else by the literal beginning of its path on its own host")
  func ofRoutes() throws {
    func identifier(_ path: String, host: String? = nil, _ access: AccessPolicy = AccessPolicy()) throws -> String? {
      ProtectedResource(of: try Self.route("r", path, host: host, access), issuer: Self.issuer)?.identifier
    }
    #expect(try identifier("/crm/**") == "https://auth.example.com/crm")
    #expect(try identifier("/crm/*/notes", host: "gw.example.com") == "https://gw.example.com/crm")
    #expect(try identifier("/status") == "https://auth.example.com/status")
    #expect(try identifier("/**") == "https://auth.example.com")
    #expect(try identifier("/x/**", AccessPolicy(audience: "https://api.example/x")) == "https://api.example/x")
    #expect(try identifier("/x/**", AccessPolicy(audience: "urn:x")) == nil)
    #expect(try identifier("/x/**", .anonymous) == nil)
    #expect(try identifier("/x/**", AccessPolicy(accepts: [], session: SessionRule())) == nil)
  }

  @Test("RFC 9728 §5.1: a challenge names the metadata of its route")
  func challenge() throws {
    let route = try Self.route("crm", "/crm/**", AccessPolicy(requiredScopes: ["crm.read"])).discoverable(at: Self.issuer)
    let parameter = ", resource_metadata=\"https://auth.example.com/.well-known/oauth-protected-resource/crm\""
    for denial in AccessDenial.allCases {
      #expect(denial.challenge(for: route.access).hasSuffix(parameter))
    }
    let hidden = try Self.route("x", "/x/**", AccessPolicy(audience: "urn:x")).discoverable(at: Self.issuer)
    #expect(!AccessDenial.missingToken.challenge(for: hidden.access).contains("resource_metadata"))
  }

  @Test("RFC 9728 §2: routes of one resource share a document; the gateway itself has one, and nothing else")
  func documents() throws {
    let metadata = ResourceMetadata(
      routes: [
        try Self.route("read", "/crm/**", AccessPolicy(requiredScopes: ["crm.read"])),
        try Self.route("write", "/crm/*", AccessPolicy(requiredScopes: ["crm.read", "crm.write"])),
        try Self.route("open", "/open/**", .anonymous),
        try Self.route("far", "/far/**", AccessPolicy(audience: "https://gw.example.com/crm")),
      ], issuer: Self.issuer, scopes: [try #require(Scope("crm.read"))])
    let crm = try #require(metadata.document(at: "/crm", host: "auth.example.com"))
    #expect(crm["resource"]?.string == "https://auth.example.com/crm")
    #expect(crm["authorization_servers"]?.strings == ["https://auth.example.com"])
    #expect(crm["scopes_supported"]?.strings == ["crm.read", "crm.write"])
    #expect(crm["bearer_methods_supported"]?.strings == ["header"])
    #expect(crm["resource_name"]?.string == "read")
    // Another host with the same path has its own; behind a proxy that changes the host, the issuer's stands in.
    #expect(metadata.document(at: "/crm", host: "GW.example.com")?["resource"]?.string == "https://gw.example.com/crm")
    #expect(metadata.document(at: "/crm", host: "10.0.0.1:8080")?["resource"]?.string == "https://auth.example.com/crm")
    for path in ["", "/"] {
      #expect(metadata.document(at: path, host: nil)?["resource"]?.string == "https://auth.example.com")
    }
    for path in ["/open", "/far", "/crm/", "/crm/1", "/CRM"] { #expect(metadata.document(at: path, host: nil) == nil) }
  }
}
