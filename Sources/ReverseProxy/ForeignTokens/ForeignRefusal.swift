import Cryptography
import OAuthCore

/// Why a token of somebody else is not taken. For the operator: callers only hear `invalid_token`.
///
/// Holds nothing of the token but the names it is judged by.
public enum ForeignRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// The route does not list who could vouch for such a token.
  case sourceNotAccepted(String)
  case signature(JWSError)
  /// The algorithm is not among those that are accepted of this issuer.
  case algorithm(String)
  /// `typ` is not what it has to be.
  case type(String?)
  case wrongIssuer
  /// A claim or member is missing or malformed.
  case malformed(String)
  case expired
  case notYetValid
  /// The token works only together with a proof of its sender's key, which is not asked for here.
  case senderConstrained
  /// The endpoint says so: unknown, expired or revoked.
  case inactive
  /// There are keys, and the token names none of them; they were asked for again not long ago.
  case unknownKey

  public var description: String {
    switch self {
    case .sourceNotAccepted(let name): "the route takes no token of this kind: \(name)"
    case .signature(let error): error.description
    case .algorithm(let name): "the signature algorithm \(name) is not accepted of this issuer"
    case .type(let type):
      "the token's typ is \(type.map { "\"\($0)\"" } ?? "absent"), not \"at+jwt\" (RFC 9068 §4); type: jwt takes it"
    case .wrongIssuer: "the answer names another issuer"
    case .malformed(let name): "\"\(name)\" is missing or malformed"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not yet valid"
    case .senderConstrained: "the token is bound to its sender (cnf), and not by a certificate alone"
    case .inactive: "the endpoint says that the token is not active"
    case .unknownKey: "the issuer publishes no key of this algorithm and id"
    }
  }
}
