import Cryptography
import OAuthCore

/// One renewal of one user's credential: store, lease, provider. It decides nothing about callers.
///
/// ```
/// no connection, revoked, unreadable, other client ──→ ended(notConnected)
/// needs reauthentication ────────────────────────────→ ended(needsReauthentication)
/// stored credential outlives ours ───────────────────→ adopted
/// no refresh token: live ─→ kept │ expired ──────────→ ended(needsReauthentication)
/// earlier attempt in doubt, token still live, and rotation forbids a second use ─→ failed (lease released until then)
/// lease taken ─→ token ──────────────────────────────→ obtained (to be committed under the lease)
///             ├→ invalid_grant, generation moved ────→ look again
///             ├→ invalid_grant ──────────────────────→ ended(needsReauthentication)
///             └→ any other failure ──────────────────→ failed (lease to be released with a pause)
/// lease held by another ─→ look again, until leaseWait → waited
/// ```
///
/// Without the store nothing is sent: a refresh token that is used without a lease may be used twice.
struct ConnectionRenewal: Sendable {
  enum Outcome: Sendable {
    case adopted(CredentialRecord, generation: Int64)
    /// Live, and nothing can replace it.
    case kept(CredentialRecord, generation: Int64)
    case obtained(CredentialRecord, lease: ConnectionLease)
    case failed(TokenEndpointFailure, lease: ConnectionLease)
    case inDoubt(lease: ConnectionLease, remaining: Duration)
    case waited(remaining: Duration)
    case storeUnavailable
    case ended(BrokerFailure)
  }

  let connection: ConnectionKey
  let provider: Provider
  let rotation: ProviderAuthorization.Rotation
  let store: any UserConnectionStore
  let transport: any ProviderTransport
  let sealer: CredentialSealer
  let clock: any WallClock
  let sleeper: any Sleeper
  let observer: any BrokerObserver
  let limits: BrokerLimits
  /// Asked before each further wait for another instance.
  let mayWait: @Sendable () -> Bool

  /// - Parameter known: when the credential we have is no longer sent; a stored one is adopted if it outlives that.
  func run(known: Timestamp?) async -> Outcome {
    do {
      return try await throughStore(known: known)
    } catch {
      observer.observe(.storeUnavailable, of: connection)
      return .storeUnavailable
    }
  }

  private func throughStore(known: Timestamp?) async throws(StoreFailure) -> Outcome {
    let giveUpAt = clock.now + limits.leaseWait
    var attempt = 0
    while true {
      let found = try await store.connection(connection)
      guard let found, let stored = found.credential, found.state != .revoked else { return .ended(.notConnected) }
      if case .needsReauthentication(let reason) = found.state { return .ended(.needsReauthentication(reason)) }
      guard let record = readable(stored) else { return .ended(.notConnected) }
      let sendableUntil = record.live(generation: stored.generation, jitter: 0).expiresAt
      if sendableUntil > clock.now, sendableUntil > (known ?? clock.now) {
        return .adopted(record, generation: stored.generation)
      }
      if record.refreshToken == nil, sendableUntil > clock.now { return .kept(record, generation: stored.generation) }

      var remaining = Duration.zero
      switch try await store.takeRefreshLease(on: connection, generation: stored.generation, for: limits.lease) {
      case .taken(let lease):
        if let outcome = try await refresh(record, until: sendableUntil, under: lease) { return outcome }
      case .held(let duration): remaining = duration
      // Somebody committed in between: what they committed is read next.
      case .moved: break
      }
      guard clock.now < giveUpAt, mayWait() else {
        observer.observe(.leaseWaitEnded, of: connection)
        return .waited(remaining: remaining)
      }
      attempt += 1
      await sleeper.sleep(for: BrokerLimits.doubling(limits.pollMin, to: limits.pollMax, attempt: attempt))
    }
  }

  /// - Returns: nil when the row has moved meanwhile, and what it holds now has to be looked at.
  private func refresh(
    _ record: CredentialRecord, until sendableUntil: Timestamp, under lease: ConnectionLease
  ) async throws(StoreFailure) -> Outcome? {
    guard let refreshToken = record.refreshToken else { return try await end(.noRefreshToken, under: lease) }
    // The old access token still serves: the second use, which may end the connection, waits until it does not.
    if lease.isInDoubt, !rotation.allowsEarlyRetry, sendableUntil > clock.now {
      return .inDoubt(lease: lease, remaining: sendableUntil - clock.now)
    }
    let request = TokenRequest(provider: provider, grant: .refreshToken(refreshToken), deadline: limits.providerDeadline)
    let sentAt = clock.now
    do throws(TokenEndpointFailure) {
      let token = try await request.send(over: transport)
      observer.observe(.obtained, of: connection)
      return .obtained(CredentialRecord(token, to: request, sentAt: sentAt, replacing: record), lease: lease)
    } catch {
      guard case .refused(.invalidGrant) = error else { return .failed(error, lease: lease) }
      // Before it is believed: another may have refreshed, or the user may have connected again.
      guard let now = try await store.connection(connection), now.credential?.generation == lease.generation else {
        return nil
      }
      return try await end(lease.isInDoubt ? .rotationInDoubt : .refreshTokenRefused, under: lease)
    }
  }

  private func end(_ reason: ReauthenticationReason, under lease: ConnectionLease) async throws(StoreFailure) -> Outcome {
    try await store.requireReauthentication(reason, under: lease)
    observer.observe(.needsReauthentication(reason), of: connection)
    return .ended(.needsReauthentication(reason))
  }

  private func readable(_ stored: StoredCredential) -> CredentialRecord? {
    guard let record = sealer.open(stored, of: connection) else {
      observer.observe(.unreadable(generation: stored.generation), of: connection)
      return nil
    }
    let request = TokenRequest(provider: provider, grant: .refreshToken(record.accessToken), deadline: .zero)
    return record.fingerprint == request.fingerprint ? record : nil
  }
}
