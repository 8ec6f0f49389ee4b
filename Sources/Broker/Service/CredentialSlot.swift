import OAuthCore

/// What this process knows of one provider's service credential, and whether it may ask for another. Pure.
///
/// `empty → renewing → live → live and renewing → live …`; a failed renewal closes the slot for a pause, in which a live
/// credential still serves and everybody else fails at once.
struct CredentialSlot {
  /// What a caller gets; with `renew`, that caller's demand is also what starts the one renewal.
  enum Demand: Equatable {
    case serve(LiveCredential, renew: Bool)
    case wait(renew: Bool)
    case fail(BrokerFailure)
  }

  private(set) var credential: LiveCredential?
  private(set) var isRenewing = false
  private var failureCount = 0
  private var closure: (until: Timestamp, refusal: ProviderRefusal?)?

  mutating func demand(at now: Timestamp) -> Demand {
    if let credential = live(at: now) {
      let renew = now >= credential.renewAt && !isRenewing && closure(at: now) == nil
      isRenewing = isRenewing || renew
      return .serve(credential, renew: renew)
    }
    if isRenewing { return .wait(renew: false) }
    if let failure = closure(at: now) { return .fail(failure) }
    isRenewing = true
    return .wait(renew: true)
  }

  /// The credential that may be sent now.
  func live(at now: Timestamp) -> LiveCredential? {
    guard let credential, now < credential.expiresAt else { return nil }
    return credential
  }

  mutating func succeed(with credential: LiveCredential) {
    self.credential = credential
    isRenewing = false
    failureCount = 0
    closure = nil
  }

  /// Another renewal waits for `pause` at least.
  mutating func fail(refusal: ProviderRefusal?, pause: Duration, at now: Timestamp) -> BrokerFailure {
    isRenewing = false
    closure = (now + pause, refusal)
    return Self.failure(refusal, retryAfter: pause)
  }

  /// Ends the pause after failures: what failed has changed.
  mutating func reopen() {
    failureCount = 0
    closure = nil
  }

  /// - Parameter jitter: uniform in 0..<1; adds up to a quarter.
  /// - Returns: how long to stay away after this further failure.
  mutating func pause(after failure: TokenEndpointFailure, limits: BrokerLimits, jitter: Double) -> Duration {
    failureCount += 1
    switch failure {
    case .refused:
      let pause = BrokerLimits.doubling(limits.refusalPauseMin, to: limits.refusalPauseMax, attempt: failureCount)
      return pause * (1 + jitter / 4)
    case .transient(_, let retryAfter):
      let pause = BrokerLimits.doubling(limits.transientPauseMin, to: limits.transientPauseMax, attempt: failureCount)
      return max(pause * (1 + jitter / 4), retryAfter ?? .zero)
    }
  }

  private func closure(at now: Timestamp) -> BrokerFailure? {
    guard let closure, now < closure.until else { return nil }
    return Self.failure(closure.refusal, retryAfter: closure.until - now)
  }

  private static func failure(_ refusal: ProviderRefusal?, retryAfter: Duration) -> BrokerFailure {
    refusal.map { .refused($0, retryAfter: retryAfter) } ?? .unavailable(retryAfter: retryAfter)
  }
}
