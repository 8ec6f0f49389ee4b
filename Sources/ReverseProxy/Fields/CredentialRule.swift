import Broker
import Cryptography

/// What a route puts in the place of the caller's token.
public enum CredentialRule: Sendable, Hashable {
  /// Nothing; the upstream trusts the gateway.
  case none
  /// A fixed key in a field of its own.
  case apiKey(fieldName: String, key: Secret)
  /// Source: RFC 7617 §2.
  case basic(username: String, password: Secret)
  /// A bearer token that Postern obtains for itself from a provider. Source: RFC 6749 §4.4.
  case clientCredentials(provider: ProviderID)
  /// The bearer token that the subject of the presented token has connected. Source: RFC 6749 §4.1.
  case connection(provider: ProviderID)

  /// The request field that carries the credential; nil: none.
  public var fieldName: String? {
    switch self {
    case .none: nil
    case .apiKey(let fieldName, _): fieldName
    case .basic, .clientCredentials, .connection: "Authorization"
    }
  }

  /// The field's value when it never changes; nil when there is none or a provider must be asked.
  public var fixedValue: Secret? {
    switch self {
    case .none, .clientCredentials, .connection: return nil
    case .apiKey(_, let key): return key
    case .basic(let username, let password):
      let pair = Array(username.utf8) + [UInt8(ascii: ":")] + password.exposedBytes
      return Secret("Basic " + Base64.encode(pair))
    }
  }
}
