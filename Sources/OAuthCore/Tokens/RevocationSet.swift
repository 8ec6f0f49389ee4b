import Synchronization

/// Which JWTs were ended before they expired, as far as this process has heard: verifying one needs no database.
///
/// It knows only what happened since it began to listen. A token that is older gets `.unknown`, and the store must be
/// asked: rather one query more than a stale yes.
public final class RevocationSet: ChangeObserver {
  public enum Answer: Sendable, Equatable { case clear, revoked, unknown }

  /// Entries kept. Beyond, everything is forgotten and tokens that exist by then are asked about. 100 bytes each.
  public static let countMax = 65_536

  private struct Heard {
    /// Tokens made at or after this moment cannot have been revoked unheard.
    var since: Timestamp
    /// Token and family ids, with the moment after which nothing of theirs is valid anyway.
    var revoked: [Locator: Timestamp] = [:]
    var changedClients: [ClientID: Timestamp] = [:]
  }

  private let clock: any WallClock
  private let heard: Mutex<Heard>
  private let countMax: Int

  public convenience init(clock: any WallClock) { self.init(clock: clock, countMax: Self.countMax) }

  init(clock: any WallClock, countMax: Int) {
    self.clock = clock
    self.countMax = countMax
    heard = Mutex(Heard(since: clock.now))
  }

  /// - Parameter token: the `jti`, whose own timestamp says how old the token is.
  public func answer(token: Locator, family: Locator?) -> Answer {
    heard.withLock { heard in
      if heard.revoked[token] != nil { return .revoked }
      if let family, heard.revoked[family] != nil { return .revoked }
      return token.createdAt >= heard.since ? .clear : .unknown
    }
  }

  /// Whether a client was changed while tokens of it may still live: it may be disabled now.
  public func mayHaveChanged(_ client: ClientID, since issuedAt: Timestamp) -> Bool {
    heard.withLock { heard in heard.changedClients[client] != nil || issuedAt < heard.since }
  }

  public func apply(_ changes: [Change]) {
    let now = clock.now
    let until = now + TokenPolicy.accessTokenLifetimeMax
    heard.withLock { heard in
      for change in changes {
        switch change {
        case .accessTokenRevoked(let locator), .familyRevoked(let locator): heard.revoked[locator] = until
        case .clientChanged(let client): heard.changedClients[client] = until
        case .sessionEnded, .accountChanged, .signingKeysChanged, .credentialChanged, .connectionChanged,
          .foreignKeyWithdrawn: break
        }
      }
      guard heard.revoked.count + heard.changedClients.count > countMax else { return }
      heard.revoked = heard.revoked.filter { now < $0.value }
      heard.changedClients = heard.changedClients.filter { now < $0.value }
      if heard.revoked.count + heard.changedClients.count > countMax { heard = Heard(since: now) }
    }
  }

  public func forgetEverything() {
    let now = clock.now
    heard.withLock { $0 = Heard(since: now) }
  }
}
