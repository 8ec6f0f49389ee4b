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
  /// the time it takes, and a limited attempt gets one answer for a right and a wrong secret. A right secret that cannot
  /// be guessed is never limited: strangers who fail in a client's name do not stop it.
  ///
  /// - Throws: `invalid_request`, `invalid_client` (with `retryAfter` when limited), `temporarily_unavailable`.
  func authenticate(_ request: ClientRequest, _ form: Form, at now: Timestamp) async throws(OAuthError) -> Client {
    let presented = try ClientCredentials.read(authorizationField: request.authorizationField, form: form)
    let known = try await asking { () throws(StoreFailure) in try await clients.client(presented.client) }
    guard let secret = presented.secret else {
      guard let known, !known.isDisabled, known.isPublic || known.isNamed(by: request.certificate) else {
        throw .clientAuthenticationFailed
      }
      return known
    }
    // A client that may not authenticate this way is verified against nothing, which takes the usual time.
    let candidate = known.flatMap { !$0.isDisabled && $0.authentication == presented.method ? $0 : nil }
    let verifiers = candidate?.secrets ?? []

    let attempt = Attempt(of: .client(presented.client), from: request.remoteAddress)
    if secrets.matchesAtOnce(secret, anyOf: verifiers), let candidate {
      if candidate.hasGeneratedSecrets { return candidate }
      if limiter.wait(attempt, at: now) == nil {
        limiter.succeeded(attempt)
        return candidate
      }
    }
    let judgement = try await asking { () async throws(StoreFailure) in
      try await limiter.judge(attempt, at: now) { () async throws(StoreFailure) in
        try await secrets.matches(secret, anyOf: verifiers)
      }
    }
    switch (judgement, candidate) {
    case (.right, let candidate?): return candidate
    case (.limited(let seconds), _): throw .tooManyAttempts(retryAfter: seconds)
    case (.wrong, _), (.right, nil): throw .clientAuthenticationFailed
    }
  }
}

extension Client {
  /// Whether the client authenticates by a certificate, and this one has its name. Source: RFC 8705 §2.1.
  ///
  /// - Parameter certificate: in DER.
  fileprivate func isNamed(by certificate: [UInt8]?) -> Bool {
    guard authentication == .tlsClientAuth, let certificateName, let certificate else { return false }
    return Certificate(der: certificate)?.names.contains(certificateName) == true
  }

  /// Whether Postern made every secret of the client, with 256 bits that nobody guesses. What stands in a configuration
  /// was chosen by a person, and an imported secret may have been.
  fileprivate var hasGeneratedSecrets: Bool {
    !isConfigured && secrets.allSatisfy { if case .sha256 = $0 { true } else { false } }
  }
}
