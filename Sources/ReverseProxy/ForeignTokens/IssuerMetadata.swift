import Broker
import JSON

/// What an issuer publishes of itself, as far as its keys need it. Source: RFC 8414; OpenID Connect Discovery 1.0.
public struct IssuerMetadata: Sendable, Equatable {
  public let keySetURL: EndpointURL

  public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
    case malformed
    /// The document speaks for another issuer: believing it would let that one sign in this one's name.
    case otherIssuer
    /// `jwks_uri` is missing, no URL, or without TLS.
    case badKeySetURL

    public var description: String {
      switch self {
      case .malformed: "the metadata is no JSON object with unique members"
      case .otherIssuer: "the metadata names another issuer (RFC 8414 §3.3)"
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
  ///   - allowHTTP: whether the keys may be without TLS.
  public init(parsing document: [UInt8], of issuer: String, allowHTTP: Bool) throws(Failure) {
    guard let members = try? JSON(parsing: document).object else { throw .malformed }
    guard let named = members["issuer"]?.string, named.utf8.elementsEqual(issuer.utf8) else { throw .otherIssuer }
    guard let url = members["jwks_uri"]?.string.flatMap({ EndpointURL($0) }), url.scheme == .https || allowHTTP else {
      throw .badKeySetURL
    }
    keySetURL = url
  }
}
