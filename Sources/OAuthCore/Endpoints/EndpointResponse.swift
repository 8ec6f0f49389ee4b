import JSON

/// A whole answer of an endpoint: a JSON body that no cache may keep. Source: RFC 6749 §5.1.
public struct EndpointResponse: Sendable {
  public var status: Int
  /// Header fields, in order.
  public var fields: [(name: String, value: String)]
  public var body: [UInt8]

  public init(status: Int, fields: [(name: String, value: String)] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// The first value of a field, by its exact name.
  public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  static func json(_ object: JSONObject, status: Int = 200) -> EndpointResponse {
    EndpointResponse(status: status, fields: uncached, body: object.bytes)
  }

  /// For documents that anybody may keep: metadata and public keys.
  static func document(_ object: JSONObject, secondsFresh: Int) -> EndpointResponse {
    EndpointResponse(
      status: 200,
      fields: [("Content-Type", "application/json"), ("Cache-Control", "public, max-age=\(secondsFresh)")],
      body: object.bytes)
  }

  private static let uncached: [(name: String, value: String)] = [
    ("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"),
  ]

  /// Source: RFC 6749 §5.2; RFC 6585 §4 for 429; RFC 9110 §11.6.1: a 401 carries a challenge.
  init(_ error: OAuthError) {
    self = .json(
      ["error": .string(error.code.rawValue), "error_description": .string(error.description)], status: error.status)
    if status == 401 { fields.append(("WWW-Authenticate", "Basic realm=\"postern\", charset=\"UTF-8\"")) }
    if let seconds = error.retryAfter { fields.append(("Retry-After", String(seconds))) }
  }
}

extension OAuthError {
  /// The status of an endpoint that answers JSON.
  var status: Int {
    switch code {
    case .temporarilyUnavailable: 503
    case .serverError: 500
    // The caller's fault, with a time to wait: a limited attempt.
    case _ where retryAfter != nil: 429
    case .invalidClient: 401
    default: 400
    }
  }

  /// Any failed client authentication: one sentence for all, so that it says nothing about what was wrong.
  static let clientAuthenticationFailed = OAuthError(.invalidClient, "client authentication failed")

  /// The same for a right and a wrong secret. Source: RFC 6749 §2.3.1, §10.10.
  static func tooManyAttempts(retryAfter seconds: Int) -> OAuthError {
    OAuthError(.invalidClient, "too many failed attempts", retryAfter: seconds)
  }

  public init(_ failure: StoreFailure) {
    self.init(.temporarilyUnavailable, "the server cannot answer just now; try again", retryAfter: 1)
  }
}

/// Asks a port; when it cannot answer, the caller is told `temporarily_unavailable`.
func asking<Answer>(
  _ port: () async throws(StoreFailure) -> Answer
) async throws(OAuthError) -> Answer {
  do { return try await port() } catch { throw OAuthError(error) }
}
