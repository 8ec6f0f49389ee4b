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
    var attempt = 0
    while true {
      do {
        if try await settled(record, lease: lease) { return }
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

  /// - Returns: false when it has to be tried again.
  private func settled(_ record: CredentialRecord, lease: ConnectionLease?) async throws(StoreFailure) -> Bool {
    var lease = lease
    if lease == nil {
      let current = try await store.connection(connection)?.credential
      if let current, current.expiresAt >= record.expiresAt { return true }
      let outcome = try await store.takeLease(on: connection, generation: current?.generation ?? 0, for: limits.lease)
      if case .taken(let taken) = outcome { lease = taken }
    }
    guard let lease else { return false }
    let generation = lease.generation + 1
    let sealed = sealer.seal(record, of: connection, generation: generation, jitter: jitter)
    switch try await store.commit(sealed, under: lease) {
    case .stored: observer.observe(.stored(generation: generation), of: connection)
    case .superseded: observer.observe(.superseded(generation: generation), of: connection)
    }
    return true
  }
}
