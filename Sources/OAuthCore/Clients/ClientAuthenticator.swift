import Cryptography

/// Decides which client a request is from. Source: RFC 6749 §2.3, §3.2.1.
public struct ClientAuthenticator: Sendable {
  private let clients: any ClientDirectory
  private let secrets: SecretVerification
  private let limiter: any AttemptLimiter

  public init(clients: any ClientDirectory, secrets: SecretVerification, limiter: any AttemptLimiter) {
    self.clients = clients
    self.secrets = secrets
    self.limiter = limiter
  }

  /// The authenticated client; for a public one, the client that it says it is.
  ///
  /// An unknown client, a disabled one, a wrong secret and a wrong method are told apart neither by the answer nor by
  /// the time it takes, and a limited attempt gets one answer for a right and a wrong secret.
  ///
  /// - Throws: `invalid_request`, `invalid_client` (with `retryAfter` when limited), `temporarily_unavailable`.
  func authenticate(_ request: TokenRequest, _ form: Form, at now: Timestamp) async throws(OAuthError) -> Client {
    let presented = try ClientCredentials.read(authorizationField: request.authorizationField, form: form)
    let subjects: [AttemptSubject] = [.client(presented.client), .source(request.remoteAddress)]
    if presented.secret != nil, let seconds = limiter.wait(subjects, at: now) {
      throw .tooManyAttempts(retryAfter: seconds)
    }

    let known = try await asking { () throws(StoreFailure) in try await clients.client(presented.client) }
    guard let secret = presented.secret else {
      guard let known, known.isPublic, !known.isDisabled else { throw .clientAuthenticationFailed }
      return known
    }
    // A client that may not authenticate this way is verified against nothing, which takes the usual time.
    let candidate = known.flatMap { !$0.isDisabled && $0.authentication == presented.method ? $0 : nil }
    let isGenuine = try await asking { () throws(StoreFailure) in
      try await secrets.matches(secret, anyOf: candidate?.secrets ?? [])
    }
    if let seconds = limiter.settle(subjects, succeeded: isGenuine, at: now) {
      throw .tooManyAttempts(retryAfter: seconds)
    }
    guard isGenuine, let candidate else { throw .clientAuthenticationFailed }
    return candidate
  }
}
