import JSON

/// Authorization server metadata. Source: RFC 8414 §2.
public struct MetadataDocument: Sendable {
  /// How long others may keep it. Seconds.
  static let secondsFresh = 300

  public let members: JSONObject

  /// - Parameters:
  ///   - issuer: without a trailing slash; the endpoints are below it.
  ///   - registry: names the grants, so that one that is plugged in shows here by itself.
  ///   - asksForCertificates: whether some listener does.
  ///   - scopes: those that may be told to everybody; empty: not told.
  public init(issuer: String, registry: GrantRegistry, asksForCertificates: Bool = false, scopes: [Scope] = []) {
    let methods = ClientAuthenticationMethod.allCases.filter { asksForCertificates || $0 != .tlsClientAuth }
    var members: JSONObject = [
      "issuer": .string(issuer),
      "authorization_endpoint": .string(issuer + "/oauth/authorize"),
      "token_endpoint": .string(issuer + "/oauth/token"),
      "introspection_endpoint": .string(issuer + "/oauth/introspect"),
      "revocation_endpoint": .string(issuer + "/oauth/revoke"),
      "jwks_uri": .string(issuer + "/oauth/jwks"),
      "response_types_supported": registry.contains(.authorizationCode) ? ["code"] : [],
      "response_modes_supported": ["query"],
      "grant_types_supported": .array(registry.grantTypes.map { .string($0.rawValue) }),
      "token_endpoint_auth_methods_supported": Self.names(methods),
      "introspection_endpoint_auth_methods_supported": Self.names(methods.filter { $0 != .none }),
      "revocation_endpoint_auth_methods_supported": Self.names(methods),
      // RFC 9207 §3.
      "authorization_response_iss_parameter_supported": true,
      // OpenID Connect Discovery §3: absent means that request_uri is supported.
      "request_parameter_supported": false,
      "request_uri_parameter_supported": false,
    ]
    if registry.contains(.authorizationCode) { members["code_challenge_methods_supported"] = ["S256"] }
    // RFC 8705 §3.3.
    if asksForCertificates { members["tls_client_certificate_bound_access_tokens"] = true }
    if !scopes.isEmpty { members["scopes_supported"] = .array(scopes.map { .string($0.rawValue) }) }
    self.members = members
  }

  public var response: EndpointResponse { .document(members, secondsFresh: Self.secondsFresh) }

  private static func names(_ methods: [ClientAuthenticationMethod]) -> JSON {
    .array(methods.map { .string($0.rawValue) })
  }
}
