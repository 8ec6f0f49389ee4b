import Cryptography
import Grants
import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct MetadataDocumentTests {
  @Test("RFC 8414 §2: what the server says about itself is what it does")
  func members() async throws {
    let server = try await Fixture.server()
    let response = MetadataDocument(issuer: ServerUnderTest.issuer, registry: server.registry, scopes: [Scope("read")!])
      .response
    #expect(response.status == 200)
    #expect(response["Content-Type"] == "application/json")
    let members = response.json
    #expect(members["issuer"] == "https://auth.example")
    #expect(members["authorization_endpoint"] == "https://auth.example/oauth/authorize")
    #expect(members["token_endpoint"] == "https://auth.example/oauth/token")
    #expect(members["introspection_endpoint"] == "https://auth.example/oauth/introspect")
    #expect(members["revocation_endpoint"] == "https://auth.example/oauth/revoke")
    #expect(members["jwks_uri"] == "https://auth.example/oauth/jwks")
    #expect(members["response_types_supported"] == ["code"])
    #expect(members["response_modes_supported"] == ["query"])
    #expect(members["grant_types_supported"] == ["authorization_code", "client_credentials", "refresh_token"])
    #expect(members["code_challenge_methods_supported"] == ["S256"])
    #expect(members["scopes_supported"] == ["read"])
    #expect(members["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post", "none"])
    #expect(members["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"])
    // RFC 9207 §3.
    #expect(members["authorization_response_iss_parameter_supported"] == true)
  }

  @Test("RFC 8705 §2.1.1: authentication by certificates is announced where some listener asks for them")
  func certificates() throws {
    let registry = try GrantRegistry([ClientCredentialsGrant()])
    for asks in [true, false] {
      let members = MetadataDocument(issuer: "https://auth.example", registry: registry, asksForCertificates: asks).members
      #expect((members["tls_client_certificate_bound_access_tokens"] == true) == asks)
      for endpoint in ["token", "introspection", "revocation"] {
        let methods = try #require(members["\(endpoint)_endpoint_auth_methods_supported"]?.array)
        #expect(methods.contains("tls_client_auth") == asks)
      }
    }
  }

  @Test("A grant that is switched off is not in the metadata")
  func switchedOff() throws {
    let members = MetadataDocument(
      issuer: "https://auth.example", registry: try GrantRegistry([ClientCredentialsGrant()])
    ).members
    #expect(members["grant_types_supported"] == ["client_credentials"])
    #expect(members["response_types_supported"] == [])
    #expect(members["code_challenge_methods_supported"] == nil)
  }

  @Test("RFC 7517 §5: the published keys have no private half")
  func jwks() async throws {
    let server = try await Fixture.server()
    let response = JWKSDocument(keys: server.signingKeys).response
    let keys = try #require(response.json["keys"]?.array)
    #expect(keys.count == 1)
    let key = try #require(keys[0].object)
    #expect(key["kty"] == "EC")
    #expect(key["alg"] == "ES256")
    #expect(key["use"] == "sig")
    #expect(key["kid"] != nil)
    #expect(key["d"] == nil)
  }
}
