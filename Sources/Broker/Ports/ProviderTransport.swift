import Cryptography

/// Carries one request to a provider's endpoint and its answer back.
///
/// Implementations never follow redirects, never log bodies or the authorization, and refuse addresses that are not
/// public unless the request allows them.
public protocol ProviderTransport: Sendable {
  /// - Returns: whatever the endpoint answered, errors included; reading it is the caller's.
  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse
}

/// One `POST`, of `application/x-www-form-urlencoded` unless it says otherwise, or one `GET`.
public struct ProviderRequest: Sendable {
  public var url: EndpointURL
  /// Value of the `Authorization` field.
  public var authorization: Secret?
  /// The encoded form to post; may hold a client secret or a refresh token. Without one, the request is a `GET`.
  public var form: Secret?
  public var contentType: String
  /// Further fields, each `name: value`.
  public var fields: [String]
  public var allowHTTP: Bool
  public var allowPrivateAddresses: Bool
  /// For the whole exchange, name resolution included.
  public var deadline: Duration
  /// A larger answer is `tooLarge`.
  public var bodyByteCountMax: Int

  public init(
    url: EndpointURL, authorization: Secret?, form: Secret?,
    contentType: String = "application/x-www-form-urlencoded", fields: [String] = [], allowHTTP: Bool = false,
    allowPrivateAddresses: Bool = false, deadline: Duration, bodyByteCountMax: Int = 1 << 20
  ) {
    self.url = url
    self.authorization = authorization
    self.form = form
    self.contentType = contentType
    self.fields = fields
    self.allowHTTP = allowHTTP
    self.allowPrivateAddresses = allowPrivateAddresses
    self.deadline = deadline
    self.bodyByteCountMax = bodyByteCountMax
  }
}

public struct ProviderResponse: Sendable {
  public var status: Int
  public var contentType: String?
  /// `Retry-After` as sent. Source: RFC 9110 §10.2.3.
  public var retryAfter: String?
  /// `Cache-Control` as sent. Source: RFC 9111 §5.2.
  public var cacheControl: String?
  /// May hold tokens.
  public var body: Secret

  public init(
    status: Int, contentType: String? = nil, retryAfter: String? = nil, cacheControl: String? = nil, body: Secret
  ) {
    self.status = status
    self.contentType = contentType
    self.retryAfter = retryAfter
    self.cacheControl = cacheControl
    self.body = body
  }
}

/// Why there is no answer. Never holds a secret, a query or a peer's text.
public enum TransportFailure: Error, Sendable, Hashable {
  /// The host is, or resolves to, an address that is not public, or the scheme is not allowed.
  case refusedAddress
  /// The name did not resolve.
  case resolution
  case connect
  /// The peer's certificate was not accepted, or the handshake failed.
  case tls
  case timeout
  case tooLarge
  /// The peer does not speak HTTP, or went away in the middle.
  case protocolError
  /// Too many exchanges wait already, or the client is shutting down.
  case overloaded
}
