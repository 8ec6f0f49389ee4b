import Cryptography

/// Checks who signs in. Guessing is limited as RFC 6749 §10.10 asks.
public struct PasswordVerifier: Sendable {
  public enum Outcome: Sendable {
    case verified(Account)
    /// Unknown, disabled or wrong: which one is not told, by nothing and by no delay.
    case refused
    /// Too many failures; the same for a right and a wrong password. Seconds.
    case limited(retryAfter: Int)
  }

  /// Longer ones are refused unread. UTF-8 bytes.
  public static let usernameByteCountMax = 256
  public static let passwordByteCountMax = 1024

  private let accounts: any AccountDirectory
  private let secrets: SecretVerification
  private let limiter: any AttemptLimiter
  private let audit: any AuditLog
  private let clock: any WallClock

  public init(
    accounts: any AccountDirectory, secrets: SecretVerification, limiter: any AttemptLimiter, audit: any AuditLog,
    clock: any WallClock
  ) {
    self.accounts = accounts
    self.secrets = secrets
    self.limiter = limiter
    self.audit = audit
    self.clock = clock
  }

  /// - Throws: when the directory does not answer, or too many passwords wait to be checked.
  public func verify(username: String, password: Secret, remoteAddress: String) async throws(StoreFailure) -> Outcome {
    let now = clock.now
    guard username.utf8.count <= Self.usernameByteCountMax, password.count <= Self.passwordByteCountMax else {
      return .refused
    }
    var account: Account?
    let attempt = Attempt(of: .account(username), from: remoteAddress)
    let judgement = try await limiter.judge(attempt, at: now) { () async throws(StoreFailure) -> Bool in
      account = try await accounts.account(username: username).flatMap { $0.isDisabled ? nil : $0 }
      return try await secrets.matches(password: password, hash: account?.passwordHash)
    }
    switch (judgement, account) {
    case (.right, let account?):
      audit.record(AuditEvent(.signedIn, at: now, subject: account.subject, remoteAddress: remoteAddress))
      return .verified(account)
    case (.limited(let seconds), _):
      audit.record(AuditEvent(.attemptLimited, at: now, remoteAddress: remoteAddress))
      return .limited(retryAfter: seconds)
    case (.wrong, _), (.right, nil):
      audit.record(AuditEvent(.signInRefused, at: now, subject: account?.subject, remoteAddress: remoteAddress))
      return .refused
    }
  }
}
