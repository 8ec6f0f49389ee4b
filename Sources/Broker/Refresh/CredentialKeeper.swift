import OAuthCore

/// Brings a credential that was received into the store, however long that takes.
///
/// It was served before it was stored, so nobody waits here; but a token response is never dropped while it is worth
/// something to the other instances or to the next start of this one.
struct CredentialKeeper: Sendable {
  let connection: ConnectionKey
  let store: any ConnectionStore
  let sealer: CredentialSealer
  let clock: any WallClock
  let sleeper: any Sleeper
  let observer: any BrokerObserver
  let limits: BrokerLimits
  /// Uniform in 0..<1.
  let jitter: Double

  /// - Parameters:
  ///   - lease: nil: the store was down when it was obtained; a lease is taken for storing it.
  ///   - mayRetry: asked after each failure.
  func keep(_ record: CredentialRecord, lease: ConnectionLease?, mayRetry: () -> Bool) async {
    var lease = lease
    var sealed = lease.map { seal(record, $0) }
    var attempt = 0
    while true {
      do throws(StoreFailure) {
        if lease == nil {
          let current = try await store.connection(connection)?.credential
          if let current, current.expiresAt >= record.expiresAt { return }
          lease = try await takeLease(generation: current?.generation ?? 0)
          sealed = lease.map { seal(record, $0) }
        }
        // The same bytes each time, so that a commit whose answer was lost is known again.
        if let lease, let sealed { return try await commit(sealed, under: lease) }
      } catch {
        observer.observe(.storeUnavailable, of: connection)
      }
      attempt += 1
      // A rotated refresh token outlives its access token: without it the connection is lost.
      guard clock.now < record.expiresAt || record.refreshToken != nil, mayRetry() else {
        return observer.observe(.notStored, of: connection)
      }
      await sleeper.sleep(for: BrokerLimits.doubling(limits.storePauseMin, to: limits.storePauseMax, attempt: attempt))
    }
  }

  private func takeLease(generation: Int64) async throws(StoreFailure) -> ConnectionLease? {
    let outcome = try await store.takeLease(on: connection, generation: generation, for: limits.lease)
    guard case .taken(let lease) = outcome else { return nil }
    return lease
  }

  private func seal(_ record: CredentialRecord, _ lease: ConnectionLease) -> StoredCredential {
    sealer.seal(record, of: connection, generation: lease.generation + 1, jitter: jitter)
  }

  private func commit(_ sealed: StoredCredential, under lease: ConnectionLease) async throws(StoreFailure) {
    switch try await store.commit(sealed, under: lease) {
    case .stored: observer.observe(.stored(generation: sealed.generation), of: connection)
    case .superseded: observer.observe(.superseded(generation: sealed.generation), of: connection)
    }
  }
}
