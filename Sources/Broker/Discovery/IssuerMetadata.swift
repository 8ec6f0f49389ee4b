import JSON

/// What an issuer publishes of itself. Source: RFC 8414; OpenID Connect Discovery 1.0.
public struct IssuerMetadata: Sendable, Equatable {
  public var authorizationEndpoint: EndpointURL?
  public var tokenEndpoint: EndpointURL?
  /// Source: RFC 7009.
  public var revocationEndpoint: EndpointURL?
  /// Source: RFC 9126 §5.
  public var pushedRequestEndpoint: EndpointURL?
  public var keySetURL: EndpointURL?
  /// Whether every authorization response names its issuer. Source: RFC 9207 §3.
  public var namesIssuer: Bool

  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    case malformed
    /// The document speaks for another issuer: believing it would let that one sign in this one's name.
    case otherIssuer
    /// What is needed is missing, no URL, or without TLS.
    case badEndpoint(String)
    /// `jwks_uri` is missing, no URL, or without TLS.
    case badKeySetURL

    public var description: String {
      switch self {
      case .malformed: "the metadata is no JSON object with unique members"
      case .otherIssuer: "the metadata names another issuer (RFC 8414 §3.3)"
      case .badEndpoint(let name): "the metadata's \(name) is missing or no https URL"
      case .badKeySetURL: "the metadata's jwks_uri is missing or no https URL"
      }
    }
  }

  /// Where the metadata of an issuer may be, in the order of asking.
  ///
  /// RFC 8414 puts the well-known part before the issuer's path, OpenID Connect behind it.
  ///
  /// Source: RFC 8414 §3.1; OpenID Connect Discovery 1.0 §4.1.
  public static func locations(of issuer: String) -> [EndpointURL] {
    guard let url = EndpointURL(issuer) else { return [] }
    let path = url.target.hasSuffix("/") ? String(url.target.dropLast()) : url.target
    return [
      "\(url.origin)/.well-known/oauth-authorization-server\(path)", "\(url.origin)\(path)/.well-known/openid-configuration",
    ].compactMap { EndpointURL($0) }
  }

  /// - Parameters:
  ///   - issuer: whose document it must be, byte for byte.
  ///   - allowHTTP: whether the endpoints may be without TLS.
  public init(parsing document: [UInt8], of issuer: String, allowHTTP: Bool) throws(Failure) {
    guard let members = try? JSON(parsing: document).object else { throw .malformed }
    guard let named = members["issuer"]?.string, named.utf8.elementsEqual(issuer.utf8) else { throw .otherIssuer }
    // What cannot be used is as good as missing; whoever needs it says so.
    func endpoint(_ name: String) -> EndpointURL? {
      members[name]?.string.flatMap { EndpointURL($0) }.flatMap { $0.scheme == .https || allowHTTP ? $0 : nil }
    }
    authorizationEndpoint = endpoint("authorization_endpoint")
    tokenEndpoint = endpoint("token_endpoint")
    revocationEndpoint = endpoint("revocation_endpoint")
    pushedRequestEndpoint = endpoint("pushed_authorization_request_endpoint")
    keySetURL = endpoint("jwks_uri")
    namesIssuer = members["authorization_response_iss_parameter_supported"] == .bool(true)
  }

  /// Where the keys are, for whom the document is of no use without.
  func requireKeySetURL() throws(Failure) -> EndpointURL {
    guard let keySetURL else { throw .badKeySetURL }
    return keySetURL
  }
}
