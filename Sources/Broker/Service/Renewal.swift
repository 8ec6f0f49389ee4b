import Cryptography
import OAuthCore

/// One renewal of one connection: store, lease, provider. It decides nothing about callers.
///
/// ```
/// stored credential outlives ours ─────────────────────────────→ adopted
/// lease taken ─→ provider answers ─→ token ────────────────────→ obtained (to be committed under the lease)
///                                 └→ failure ──────────────────→ failed   (lease to be released with a pause)
/// lease held by another ─→ look again, until leaseWait ─────────→ waited
/// store down ─→ provider ──────────────────────────────────────→ obtained or failed, without a lease
/// ```
struct Renewal: Sendable {
  enum Outcome: Sendable {
    case adopted(CredentialRecord, generation: Int64)
    case obtained(CredentialRecord, lease: ConnectionLease?)
    case failed(TokenEndpointFailure, lease: ConnectionLease?)
    case waited(remaining: Duration)
  }

  let connection: ConnectionKey
  let request: TokenRequest
  let store: any ConnectionStore
  let transport: any ProviderTransport
  let sealer: CredentialSealer
  let clock: any WallClock
  let sleeper: any Sleeper
  let observer: any BrokerObserver
  let limits: BrokerLimits
  /// Asked before each further wait for another instance; a process that ends does not wait for others.
  let mayWait: @Sendable () -> Bool

  /// - Parameter known: when the credential we have is no longer sent; a stored one is adopted if it outlives that.
  func run(known: Timestamp?) async -> Outcome {
    do {
      return try await throughStore(known: known)
    } catch {
      observer.observe(.storeUnavailable, of: connection)
      return await obtain(lease: nil)
    }
  }

  private func throughStore(known: Timestamp?) async throws(StoreFailure) -> Outcome {
    let giveUpAt = clock.now + limits.leaseWait
    var attempt = 0
    while true {
      let stored = try await store.credential(of: connection)
      if let stored, let record = readable(stored), outlives(record, generation: stored.generation, known) {
        return .adopted(record, generation: stored.generation)
      }
      let outcome = try await store.takeLease(
        on: connection, generation: stored?.generation ?? 0, for: limits.lease)
      var remaining = Duration.zero
      switch outcome {
      case .taken(let lease): return await obtain(lease: lease)
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

  private func obtain(lease: ConnectionLease?) async -> Outcome {
    // The life is counted from before the call: a slow answer must not lengthen it.
    let sentAt = clock.now
    do {
      let token = try await request.send(over: transport)
      let record = CredentialRecord(
        accessToken: token.accessToken, obtainedAt: sentAt,
        expiresAt: sentAt + (token.lifetime ?? request.provider.defaultLifetime), fingerprint: request.fingerprint)
      observer.observe(.obtained, of: connection)
      return .obtained(record, lease: lease)
    } catch {
      return .failed(error, lease: lease)
    }
  }

  private func readable(_ stored: StoredCredential) -> CredentialRecord? {
    guard let record = sealer.open(stored, of: connection) else {
      observer.observe(.unreadable(generation: stored.generation), of: connection)
      return nil
    }
    return record.fingerprint == request.fingerprint ? record : nil
  }

  private func outlives(_ record: CredentialRecord, generation: Int64, _ known: Timestamp?) -> Bool {
    let expiresAt = record.live(generation: generation, jitter: 0).expiresAt
    return expiresAt > clock.now && expiresAt > (known ?? clock.now)
  }
}
