import Cryptography

/// Who hears of what happens to connections.
public struct WebhookEndpoint: Sendable, Equatable {
  /// Its name in the configuration.
  public var id: String
  public var url: EndpointURL
  public var secret: WebhookSecret
  /// What its receivers may still verify with while they change to `secret`.
  public var previousSecret: WebhookSecret?
  public var events: Set<WebhookEvent>
  public var allowHTTP: Bool
  public var allowPrivateAddresses: Bool

  public init(
    id: String, url: EndpointURL, secret: WebhookSecret, previousSecret: WebhookSecret? = nil,
    events: Set<WebhookEvent> = Set(WebhookEvent.allCases), allowHTTP: Bool = false, allowPrivateAddresses: Bool = false
  ) {
    self.id = id
    self.url = url
    self.secret = secret
    self.previousSecret = previousSecret
    self.events = events
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
  }
}

/// What is told. Raw values are sent, and stand in the schema.
public enum WebhookEvent: String, Sendable, Hashable, CaseIterable {
  case created = "connection.created"
  case needsReauthentication = "connection.needs_reauth"
  case recovered = "connection.recovered"
  case revoked = "connection.revoked"
  /// A provider refuses Postern itself.
  case incident = "provider.incident"
}

/// The key that an endpoint's messages are signed with. Source: Standard Webhooks, "Signature scheme": 24 to 64 bytes, written
/// as `whsec_` and base64.
public struct WebhookSecret: Sendable, Equatable {
  static let byteCountRange = 24...64

  let key: Secret

  /// nil when `text` is no such secret.
  public init?(_ text: Secret) {
    let text = text.exposedText
    guard text.hasPrefix("whsec_"), let bytes = Base64.decode(String(text.dropFirst("whsec_".count))),
      Self.byteCountRange.contains(bytes.count)
    else { return nil }
    key = Secret(bytes: bytes)
  }

  /// - Parameters:
  ///   - id: `webhook-id`.
  ///   - timestamp: `webhook-timestamp`, in seconds.
  /// - Returns: one entry of `webhook-signature`. Source: Standard Webhooks, "Signature scheme".
  func signature(of payload: String, id: String, timestamp: Int64) -> String {
    let signed = Array("\(id).\(timestamp).\(payload)".utf8)
    return "v1,\(Base64.encode(HMACSHA256.authenticate(signed, key: key).bytes))"
  }
}
