import Broker
import Cryptography
import OAuthCore

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
  /// One that a provider gives for assertions of a service account. Source: RFC 7523 §2.1.
  case jwtBearer(provider: ProviderID)
  /// The bearer token that the subject of the presented token has connected. Source: RFC 6749 §4.1.
  case connection(provider: ProviderID)
  /// That of one connection, for nobody but the subject that owns it.
  case ownedConnection(provider: ProviderID, id: Locator)
  /// One that a provider gives for a statement of Postern's about who the subject is. Source: RFC 8693 §2.1.
  case tokenExchange(provider: ProviderID)
  /// That statement itself, for upstreams that verify it by Postern's keys.
  case signedAssertion(SignedAssertionRule)

  /// The request field that carries the credential; nil: none.
  public var fieldName: String? {
    switch self {
    case .none: nil
    case .apiKey(let fieldName, _): fieldName
    case .signedAssertion(let rule): rule.fieldName
    case .basic, .clientCredentials, .jwtBearer, .connection, .ownedConnection, .tokenExchange: "Authorization"
    }
  }

  /// Whether it depends on whom the request speaks for.
  public var needsSubject: Bool {
    switch self {
    case .connection, .ownedConnection, .tokenExchange, .signedAssertion: true
    case .none, .apiKey, .basic, .clientCredentials, .jwtBearer: false
    }
  }

  /// The field's value when it never changes; nil when there is none, or it is obtained or made.
  public var fixedValue: Secret? {
    switch self {
    case .none, .clientCredentials, .jwtBearer, .connection, .ownedConnection, .tokenExchange, .signedAssertion: return nil
    case .apiKey(_, let key): return key
    case .basic(let username, let password):
      let pair = Array(username.utf8) + [UInt8(ascii: ":")] + password.exposedBytes
      return Secret("Basic " + Base64.encode(pair))
    }
  }
}
