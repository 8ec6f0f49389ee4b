import Cryptography

/// The public halves of the signing keys. Source: RFC 7517 §5.
public struct JWKSDocument: Sendable {
  /// How long others may keep it; a new key is published this long before it is needed. Seconds.
  static let secondsFresh = 300

  private let keys: SigningKeys

  public init(keys: SigningKeys) { self.keys = keys }

  public var response: EndpointResponse { .document(keys.published.publicJSON, secondsFresh: Self.secondsFresh) }
}
