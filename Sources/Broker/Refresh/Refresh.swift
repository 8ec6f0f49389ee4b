import Cryptography
import OAuthCore

/// One renewal of one connection's credential, as a value: it says what is to be done next, and is told what came of it.
///
/// ```
/// reading ─┬ nothing to use ──────────────────────→ ended
///          ├ live, and what is wanted, or refused like the one before ─→ adopted │ kept
///          └ to be replaced → leasing
/// leasing ─┬ another has it, or has moved the row → waiting → reading …, until leaseWait → waited
///          ├ closed after a failure ──────────────→ waited
///          ├ the provider is not to be asked ─────→ turnedAway
///          ├ taken, earlier attempt in doubt, old token still live, rotation forbids a second use → postponed
///          ├ taken, no refresh token ─────────────→ refused
///          └ taken → asking
/// asking ──┬ token ───────────────────────────────→ obtained
///          ├ invalid_grant for a refresh token → doubting
///          └ any other failure ───────────────────→ failed
/// doubting ┬ the row has moved: as if just read
///          ├ a refresh token is kept that may still be good → asking
///          └ ─────────────────────────────────────→ refused
/// ```
///
/// Without the store a refresh token is not sent, since another instance could send it, too; what can be repeated is.
struct Refresh: Sendable, Equatable {
  /// What is presented for a new token.
  enum Grant: Sendable, Equatable {
    /// Postern's own word, which is as good the next time.
    case repeatable
    case refreshToken(ProviderAuthorization.Rotation)
  }

  /// What the store holds, opened.
  enum Found: Sendable, Equatable {
    /// Nothing can come of it without the user.
    case ended(BrokerFailure)
    /// No credential of use; a first one may be obtained.
    case nothing(generation: Int64)
    case credential(CredentialRecord, generation: Int64)
  }

  /// A credential that is not the current one.
  struct Kept: Sendable, Equatable {
    var record: CredentialRecord
    /// Its refresh token was used for the one after it.
    var wasPresented: Bool
  }

  enum State: Sendable, Equatable {
    /// → `leasing`, `asking`, `finished`
    case reading
    /// → `waiting`, `asking`, `finished`
    case leasing(CredentialRecord?)
    /// → `reading`, `finished`
    case waiting(remaining: Duration)
    /// → `doubting`, `finished`
    case asking(Attempt)
    /// → `leasing`, `asking`, `finished`
    case doubting(Attempt)
    case finished
  }

  struct Attempt: Sendable, Equatable {
    /// nil: the store was not there to give one.
    var lease: ConnectionLease?
    /// Refresh tokens that were presented so far; none: Postern's own word.
    var presented: [Secret] = []
  }

  enum Event: Sendable, Equatable {
    case read(Found)
    case leased(LeaseOutcome)
    /// The provider is not to be asked now.
    case turnedAway(BrokerFailure)
    case slept
    /// The process ends: it waits for nobody.
    case interrupted
    case answered(CredentialRecord)
    case failed(TokenEndpointFailure)
    case reread(Found, kept: [Kept])
    case storeFailed
  }

  enum Action: Sendable, Equatable {
    /// → `read`, `storeFailed`
    case read
    /// → `leased`, `turnedAway`, `storeFailed`
    case takeLease(generation: Int64)
    /// → `slept`, `interrupted`
    case sleep(Duration)
    /// Ask the provider, with the refresh token of what is replaced; nil: with Postern's own word.
    /// → `answered`, `failed`
    case ask(replacing: CredentialRecord?)
    /// Before a refusal is believed. → `reread`, `storeFailed`
    case reread
    case finish(Outcome)
  }

  enum Outcome: Sendable, Equatable {
    case adopted(CredentialRecord, generation: Int64)
    /// Live, and nothing can replace it.
    case kept(CredentialRecord, generation: Int64)
    /// To be stored, under the lease if there is one.
    case obtained(CredentialRecord, lease: ConnectionLease?)
    /// The lease is to be released with a pause.
    case failed(TokenEndpointFailure, lease: ConnectionLease?)
    /// The lease is to be released, closed until the old token has ended.
    case postponed(ConnectionLease, remaining: Duration)
    /// The connection is to be marked: its user has to act.
    case refused(ReauthenticationReason, ConnectionLease)
    case waited(remaining: Duration)
    case turnedAway(BrokerFailure)
    case storeUnavailable
    case ended(BrokerFailure)
  }

  private let grant: Grant
  private let replacing: Int64?
  private let isRefused: Bool
  private let limits: BrokerLimits
  private let giveUpAt: Timestamp
  private var waitCount = 0
  private(set) var state = State.reading

  /// The first action is `read`.
  ///
  /// - Parameters:
  ///   - replacing: the generation that is no longer wanted; nil: any that is live will do.
  ///   - isRefused: whether an upstream would not take that one.
  init(_ grant: Grant, replacing: Int64?, isRefused: Bool = false, limits: BrokerLimits, at now: Timestamp) {
    self.grant = grant
    self.replacing = replacing
    self.isRefused = isRefused
    self.limits = limits
    giveUpAt = now + limits.leaseWait
  }

  /// - Returns: what is to be done next; nil when the event does not belong to the state, which then stays.
  mutating func handle(_ event: Event, at now: Timestamp) -> Action? {
    switch (state, event) {
    case (.reading, .read(let found)): return judge(found, at: now)
    case (.leasing(let record), .leased(.taken(let lease))): return use(lease, for: record, at: now)
    case (.leasing, .leased(.held(let remaining))): return wait(remaining, at: now)
    // Somebody committed in between: what they committed is read next.
    case (.leasing, .leased(.moved)): return wait(.zero, at: now)
    case (.leasing, .turnedAway(let failure)): return finish(.turnedAway(failure))
    case (.waiting, .slept):
      state = .reading
      return .read
    case (.waiting(let remaining), .interrupted): return finish(.waited(remaining: remaining))
    case (.asking(let attempt), .answered(let record)): return finish(.obtained(record, lease: attempt.lease))
    case (.asking(let attempt), .failed(.refused(.invalidGrant))) where !attempt.presented.isEmpty:
      state = .doubting(attempt)
      return .reread
    case (.asking(let attempt), .failed(let failure)): return finish(.failed(failure, lease: attempt.lease))
    case (.doubting(let attempt), .reread(let found, let kept)): return believe(attempt, found, kept, at: now)
    case (.reading, .storeFailed), (.leasing, .storeFailed):
      return grant == .repeatable ? ask(with: nil, Attempt()) : finish(.storeUnavailable)
    case (.doubting, .storeFailed): return finish(.storeUnavailable)
    default: return nil
    }
  }

  private mutating func judge(_ found: Found, at now: Timestamp) -> Action {
    switch found {
    case .ended(let failure): return finish(.ended(failure))
    case .nothing(let generation):
      state = .leasing(nil)
      return .takeLease(generation: generation)
    case .credential(let record, let generation):
      if record.sendableUntil > now {
        let isUnheeded = isRefused && now < record.heedsRefusalFrom(limits)
        if generation > replacing ?? .min || isUnheeded { return finish(.adopted(record, generation: generation)) }
        if record.refreshToken == nil, grant != .repeatable { return finish(.kept(record, generation: generation)) }
      }
      state = .leasing(record)
      return .takeLease(generation: generation)
    }
  }

  private mutating func use(_ lease: ConnectionLease, for record: CredentialRecord?, at now: Timestamp) -> Action {
    guard case .refreshToken(let rotation) = grant else { return ask(with: nil, Attempt(lease: lease)) }
    guard let record, record.refreshToken != nil else { return finish(.refused(.noRefreshToken, lease)) }
    // The old access token still serves: the second use, which may end the connection, waits until it does not.
    if lease.isInDoubt, !rotation.allowsSecondUse, record.sendableUntil > now {
      return finish(.postponed(lease, remaining: record.sendableUntil - now))
    }
    return ask(with: record, Attempt(lease: lease))
  }

  private mutating func ask(with record: CredentialRecord?, _ attempt: Attempt) -> Action {
    var attempt = attempt
    if let token = record?.refreshToken { attempt.presented.append(token) }
    state = .asking(attempt)
    return .ask(replacing: record)
  }

  private mutating func wait(_ remaining: Duration, at now: Timestamp) -> Action {
    // A holder that works has less left: longer ones are pauses after failures.
    guard now < giveUpAt, remaining <= limits.lease else { return finish(.waited(remaining: remaining)) }
    waitCount += 1
    state = .waiting(remaining: remaining)
    return .sleep(BrokerLimits.doubling(limits.pollMin, to: limits.pollMax, attempt: waitCount))
  }

  private mutating func believe(_ attempt: Attempt, _ found: Found, _ kept: [Kept], at now: Timestamp) -> Action {
    guard let lease = attempt.lease, case .refreshToken(let rotation) = grant else {
      preconditionFailure("a refresh token is presented under a lease only")
    }
    // Another may have refreshed, or the user may have connected again.
    guard case .credential(_, lease.generation) = found else { return judge(found, at: now) }
    let next = kept.first { kept in
      guard let token = kept.record.refreshToken, !attempt.presented.contains(token) else { return false }
      return !kept.wasPresented || rotation.allowsSecondUse
    }
    if let next { return ask(with: next.record, attempt) }
    let isInDoubt = lease.isInDoubt && rotation != .none
    return finish(.refused(isInDoubt ? .rotationInDoubt : .refreshTokenRefused, lease))
  }

  private mutating func finish(_ outcome: Outcome) -> Action {
    state = .finished
    return .finish(outcome)
  }
}
