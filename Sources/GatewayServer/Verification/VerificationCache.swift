import Cryptography
import OAuthCore
import ReverseProxy

/// A token and whom it is asked about: what one says of it is not what another does.
struct Inquiry: Hashable {
  let digest: Digest256
  let source: TokenSource

  // The digest is hash enough.
  func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

/// What one loop remembers of tokens. Keyed by SHA-256 of the presented bytes, so no token is kept.
///
/// Bounded; what was not used since the hand last passed makes room first. A token that is not remembered is verified
/// once, however many requests wait for it.
final class VerificationCache {
  enum Lookup {
    // SAFETY: used before anything can change the cache, so that the hit of a request counts no reference.
    case verified(Unmanaged<VerifiedToken>)
    case unknown(Digest256)
  }

  /// How a verification ended for those who wait for it.
  enum Outcome {
    case verified(VerifiedToken)
    case refused
    case unavailable
  }

  typealias Waiter = (Outcome) -> Void

  private struct Entry {
    let token: VerifiedToken
    let reference: Unmanaged<VerifiedToken>

    init(_ token: VerifiedToken) {
      self.token = token
      reference = .passUnretained(token)
    }
  }

  private let capacity: Int
  private let refusedCapacity: Int
  private let refusedLifetime: Duration
  private let pendingMax: Int

  // Looked up by every request; nothing that touches them leads back here: the run-time check showed in the profile.
  @exclusivity(unchecked) private var positions: [Digest256: Int] = [:]
  @exclusivity(unchecked) private var entries: [Entry] = []
  private var hand = 0
  private var refused: [Inquiry: Timestamp] = [:]

  private var waiters: [Inquiry: [Waiter]] = [:]
  /// Of `waiters`, those who wait for strangers.
  private var foreignCount = 0
  /// Changes that came while verifications were under way: their answers may be older than the change.
  private var recentChanges: [Change] = []
  private var forgotEverything = 0

  init(limits: EngineLimits) {
    capacity = max(1, limits.verifiedTokens)
    refusedCapacity = limits.refusedTokens
    refusedLifetime = limits.refusedTokenLifetime
    pendingMax = limits.pendingVerifications
  }

  var count: Int { entries.count }

  /// - Parameter hearsChanges: false while revocations may not reach this process in time.
  func lookup(_ token: Span<UInt8>, at now: Timestamp, hearsChanges: Bool) -> Lookup {
    let digest = token.withUnsafeBytes { SHA256.digest($0) }
    if let position = positions[digest] {
      let reference = entries[position].reference
      let isBelieved = reference._withUnsafeGuaranteedRef { token in
        guard now < (hearsChanges ? token.believedUntil : token.believedAloneUntil) else { return false }
        token.wasUsed = true
        return true
      }
      if isBelieved { return .verified(reference) }
    }
    return .unknown(digest)
  }

  /// Whether the token was asked for a moment ago and refused.
  func isRefused(_ inquiry: Inquiry, at now: Timestamp) -> Bool {
    if let until = refused[inquiry], now < until { true } else { false }
  }

  /// Waits for the verification of a token. Strangers may take their time for half of those who may wait, so that the
  /// others have their tokens verified whatever becomes of them.
  ///
  /// - Returns: whether the caller is to start it (`run`), whether it only waits, or nil when too many wait already.
  func wait(for inquiry: Inquiry, _ waiter: @escaping Waiter) -> Bool? {
    if waiters[inquiry] != nil {
      waiters[inquiry]?.append(waiter)
      return false
    }
    let isForeign = inquiry.source.isForeign
    guard waiters.count < pendingMax, !isForeign || foreignCount < max(1, pendingMax / 2) else { return nil }
    if isForeign { foreignCount += 1 }
    waiters[inquiry] = [waiter]
    return true
  }

  /// Verifies a token, remembers the answer and tells those who wait. Runs on the loop.
  ///
  /// - Parameter ask: nil when nobody vouches for the token.
  func run(
    _ inquiry: Inquiry, clock: () -> Timestamp, asking ask: () async throws(StoreFailure) -> VouchedToken?
  ) async {
    var outcome = Outcome.unavailable
    // An answer that a change overtook is asked for again; if changes keep coming, nothing can be said.
    for _ in 0..<3 {
      let changesBefore = recentChanges.count
      let forgottenBefore = forgotEverything
      do throws(StoreFailure) {
        guard let vouched = try await ask() else {
          outcome = .refused
          break
        }
        let entry = VerifiedToken(vouched, digest: inquiry.digest)
        let overtaken = forgottenBefore != forgotEverything
          || recentChanges.dropFirst(changesBefore).contains { entry.isTouched(by: $0) }
        if overtaken { continue }
        outcome = .verified(entry)
      } catch {
        outcome = .unavailable
      }
      break
    }
    switch outcome {
    case .verified(let entry): insert(entry)
    case .refused: refuse(inquiry, at: clock())
    case .unavailable: break
    }
    let waiting = waiters.removeValue(forKey: inquiry) ?? []
    if inquiry.source.isForeign { foreignCount -= 1 }
    if waiters.isEmpty { recentChanges.removeAll() }
    for waiter in waiting { waiter(outcome) }
  }

  // MARK: Forgetting

  /// More changes than this while a verification is under way count as everything.
  private static let recentChangesMax = 1_024

  func apply(_ changes: [Change]) {
    if !waiters.isEmpty {
      recentChanges += changes
      if recentChanges.count > VerificationCache.recentChangesMax {
        recentChanges.removeAll()
        forgotEverything += 1
      }
    }
    let wanted = Set(changes)
    removeAll { entry in entry.changes.contains { wanted.contains($0) } }
  }

  func forgetEverything() {
    forgotEverything += 1
    positions.removeAll()
    entries.removeAll()
    refused.removeAll()
    hand = 0
  }

  private func removeAll(where isGone: (VerifiedToken) -> Bool) {
    var position = 0
    while position < entries.count {
      if isGone(entries[position].token) { remove(at: position) } else { position += 1 }
    }
  }

  private func remove(at position: Int) {
    positions[entries[position].token.digest] = nil
    let last = entries.removeLast()
    if position < entries.count {
      entries[position] = last
      positions[last.token.digest] = position
    }
  }

  // MARK: Remembering

  func insert(_ entry: VerifiedToken) {
    refused[Inquiry(digest: entry.digest, source: entry.source)] = nil
    if let position = positions[entry.digest] {
      entries[position] = Entry(entry)
      return
    }
    if entries.count < capacity {
      positions[entry.digest] = entries.count
      entries.append(Entry(entry))
      return
    }
    while entries[hand].token.wasUsed {
      entries[hand].token.wasUsed = false
      hand = (hand + 1) % entries.count
    }
    positions[entries[hand].token.digest] = nil
    positions[entry.digest] = hand
    entries[hand] = Entry(entry)
    hand = (hand + 1) % entries.count
  }

  func refuse(_ inquiry: Inquiry, at now: Timestamp) {
    if let position = positions[inquiry.digest], entries[position].token.source == inquiry.source { remove(at: position) }
    if refused.count >= refusedCapacity {
      refused = refused.filter { now < $0.value }
      // A flood of different strings: forget them all rather than search for the oldest.
      if refused.count >= refusedCapacity { refused.removeAll() }
    }
    refused[inquiry] = now + refusedLifetime
  }
}

/// The facts of one token, and the last verdict on them.
final class VerifiedToken {
  let facts: TokenFacts
  let digest: Digest256
  /// Who vouches for the facts.
  let source: TokenSource
  let isForeign: Bool
  /// Whether it is what the cookie of a browser session carries.
  var isSession: Bool { source == .session }
  /// Whether having the token is not enough, and what is.
  let isBound: Bool
  private let constraint: SenderConstraint
  /// See `VouchedToken`.
  let believedUntil: Timestamp
  let believedAloneUntil: Timestamp
  /// The changes that end it.
  let changes: [Change]
  var wasUsed = false
  /// `LoopRoute.serial` of the route that last allowed it.
  private var allowedRoute: UInt64 = 0

  init(_ vouched: VouchedToken, digest: Digest256) {
    facts = vouched.facts
    constraint = facts.constraint
    isBound = constraint != .bearer
    self.digest = digest
    source = vouched.source
    isForeign = vouched.source.isForeign
    believedUntil = vouched.believedUntil
    believedAloneUntil = vouched.believedAloneUntil
    changes = vouched.endedBy
  }

  func isTouched(by change: Change) -> Bool { changes.contains(change) }

  /// Whether what is known of it can say anything about it on a route. A stranger's word counts where it is asked for.
  func counts(on route: LoopRoute) -> Bool {
    !isForeign || allowedRoute == route.serial || route.route.access.takes(source)
  }

  /// Whether who presents the token may. Source: RFC 8705 §3.
  ///
  /// - Parameter certificate: whose key the presenter proved to hold.
  func isFor(_ certificate: Digest256?) -> Bool {
    switch constraint {
    case .bearer: true
    case .certificate(let digest): digest == certificate
    case .unknown: false
    }
  }

  /// The route's policy on this token. Asked once per route in a row; expiry is looked at every time.
  func decide(_ route: LoopRoute, at now: Timestamp) -> AccessDecision {
    if allowedRoute == route.serial, now < facts.expiresAt { return .allow }
    let decision = route.route.access.decide(facts.authorization, from: source, expiresAt: facts.expiresAt, at: now)
    if decision == .allow { allowedRoute = route.serial }
    return decision
  }
}
