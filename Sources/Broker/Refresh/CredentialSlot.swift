import OAuthCore

/// What this process knows of one connection's credential, and whether it may ask for another. Pure.
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
  private var closure: (until: Timestamp, failure: BrokerFailure)?

  /// - Parameters:
  ///   - replaced: a generation that the caller has no use for; nil: any that is live will do.
  ///   - isRefused: whether an upstream would not take it.
  ///   - mayRenew: false: what is there serves, and nothing begins.
  mutating func demand(
    replacing replaced: Int64? = nil, isRefused: Bool = false, at now: Timestamp, mayRenew: Bool = true
  ) -> Demand {
    let isOpen = mayRenew && !isRenewing && closure(at: now) == nil
    let replaced = replaced ?? .min
    if let credential = live(at: now),
      credential.generation > replaced || isRefused && !credential.heedsRefusal(of: replaced, at: now)
    {
      let renew = isOpen && now >= credential.renewAt
      isRenewing = isRenewing || renew
      return .serve(credential, renew: renew)
    }
    if isRenewing { return .wait(renew: false) }
    guard isOpen else { return .fail(closure(at: now) ?? .unavailable(retryAfter: .seconds(1))) }
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
    reopen()
  }

  /// Another renewal waits for `pause` at least; a live credential serves meanwhile.
  ///
  /// - Returns: what those hear who waited.
  mutating func fail(_ failure: BrokerFailure, pause: Duration, at now: Timestamp) -> BrokerFailure {
    isRenewing = false
    closure = (now + pause, failure)
    return failure.retrying(after: pause)
  }

  /// There is nothing to serve; who keeps asking is not heard for `pause`.
  mutating func end(_ failure: BrokerFailure, pause: Duration, at now: Timestamp) -> BrokerFailure {
    credential = nil
    failureCount = 0
    return fail(failure, pause: pause, at: now)
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
    return limits.pause(after: failure, count: failureCount, jitter: jitter)
  }

  private func closure(at now: Timestamp) -> BrokerFailure? {
    guard let closure, now < closure.until else { return nil }
    return closure.failure.retrying(after: closure.until - now)
  }
}

extension BrokerFailure {
  /// nil: trying again is of no use.
  var retryAfter: Duration? {
    switch self {
    case .unavailable(let pause), .refused(_, let pause): pause
    case .notConnected, .needsReauthentication, .unknownProvider: nil
    }
  }

  /// The same for somebody who comes at another moment.
  func retrying(after pause: Duration) -> BrokerFailure {
    switch self {
    case .unavailable: .unavailable(retryAfter: pause)
    case .refused(let refusal, _): .refused(refusal, retryAfter: pause)
    case .notConnected, .needsReauthentication, .unknownProvider: self
    }
  }
}
