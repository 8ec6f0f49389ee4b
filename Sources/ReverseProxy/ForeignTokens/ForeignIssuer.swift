import Broker
import Cryptography
import OAuthCore

/// An authorization server that is not Postern, whose JWT access tokens routes may take, and how far it is trusted.
public struct ForeignIssuer: Sendable, Hashable {
  /// Which `typ` a token must have.
  public enum TokenType: String, Sendable, CaseIterable {
    /// The type of JWT access tokens, so that no ID token passes for one. Source: RFC 9068 §2.1, §4.
    case accessToken = "at+jwt"
    /// `JWT` and none at all, too, for issuers older than RFC 9068. An ID token for the same audience looks no different.
    case jwt
  }

  /// `iss`, byte for byte. Source: RFC 8414 §2; RFC 9068 §4.
  public var identifier: String
  /// Where its keys are; nil: its metadata tells.
  public var keySetURL: EndpointURL?
  public var algorithms: [SignatureAlgorithm]
  public var tokenType: TokenType
  /// How far its clock may differ from ours.
  public var clockSkew: Duration
  /// The claim with the scopes; nil: `scope`, or `scp` where there is none.
  public var scopeClaim: String?
  /// Development: metadata and keys may be fetched without TLS.
  public var allowHTTP: Bool
  /// Development: they may be at an address that is not public.
  public var allowPrivateAddresses: Bool

  public init(
    identifier: String, keySetURL: EndpointURL? = nil, algorithms: [SignatureAlgorithm] = SignatureAlgorithm.allCases,
    tokenType: TokenType = .accessToken, clockSkew: Duration = .seconds(30), scopeClaim: String? = nil,
    allowHTTP: Bool = false, allowPrivateAddresses: Bool = false
  ) {
    self.identifier = identifier
    self.keySetURL = keySetURL
    self.algorithms = algorithms
    self.tokenType = tokenType
    self.clockSkew = clockSkew
    self.scopeClaim = scopeClaim
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
  }
}
