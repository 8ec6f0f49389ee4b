import Cryptography
import OAuthCore
import ReverseProxy

/// What one loop remembers of tokens. Keyed by SHA-256 of the presented bytes, so no token is kept.
///
/// Bounded; what was not used since the hand last passed makes room first. A token that is not remembered is verified
/// once, however many requests wait for it.
final class VerificationCache {
  enum Lookup {
    case verified(VerifiedToken)
    /// Asked for a moment ago and refused.
    case refused
    case unknown(Digest256)
  }

  /// How a verification ended for those who wait for it.
  enum Outcome {
    case verified(VerifiedToken)
    case refused
    case unavailable
  }

  typealias Waiter = (Outcome) -> Void

  private let capacity: Int
  private let refusedCapacity: Int
  private let refusedLifetime: Duration
  private let pendingMax: Int

  // Looked up by every request; nothing that touches them leads back here: the run-time check showed in the profile.
  @exclusivity(unchecked) private var positions: [Digest256: Int] = [:]
  @exclusivity(unchecked) private var entries: [VerifiedToken] = []
  private var hand = 0
  private var refused: [Digest256: Timestamp] = [:]

  private var waiters: [Digest256: [Waiter]] = [:]
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

  /// - Parameter trustsStored: whether remembered facts of opaque tokens may be used; false while revocations may not
  ///   reach this process.
  func lookup(_ token: Span<UInt8>, at now: Timestamp, trustsStored: Bool) -> Lookup {
    let digest = token.withUnsafeBytes { SHA256.digest($0) }
    if let position = positions[digest] {
      let entry = entries[position]
      if trustsStored || !entry.isStored {
        entry.wasUsed = true
        return .verified(entry)
      }
    }
    if let until = refused[digest], now < until { return .refused }
    return .unknown(digest)
  }

  /// Waits for the verification of a token.
  ///
  /// - Returns: whether the caller is to start it (`run`), whether it only waits, or nil when too many wait already.
  func wait(for digest: Digest256, _ waiter: @escaping Waiter) -> Bool? {
    if waiters[digest] != nil {
      waiters[digest]?.append(waiter)
      return false
    }
    guard waiters.count < pendingMax else { return nil }
    waiters[digest] = [waiter]
    return true
  }

  /// Verifies a token, remembers the answer and tells those who wait. Runs on the loop.
  func run(_ digest: Digest256, token: [UInt8], with verifier: any TokenVerifier, clock: () -> Timestamp) async {
    let isStored = token.starts(with: VerificationCache.opaquePrefix)
    var outcome = Outcome.unavailable
    // An answer that a change overtook is asked for again; if changes keep coming, nothing can be said.
    for _ in 0..<3 {
      let changesBefore = recentChanges.count
      let forgottenBefore = forgotEverything
      do throws(StoreFailure) {
        guard let facts = try await verifier.verify(token) else {
          outcome = .refused
          break
        }
        let entry = VerifiedToken(facts, digest: digest, isStored: isStored)
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
    case .refused: refuse(digest, at: clock())
    case .unavailable: break
    }
    let waiting = waiters.removeValue(forKey: digest) ?? []
    if waiters.isEmpty { recentChanges.removeAll() }
    for waiter in waiting { waiter(outcome) }
  }

  /// `pat_`: facts of such tokens come from the store, those of a JWT from the token itself.
  private static let opaquePrefix = Array("\(HandleKind.accessToken.rawValue)_".utf8)

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
      if isGone(entries[position]) { remove(at: position) } else { position += 1 }
    }
  }

  private func remove(at position: Int) {
    positions[entries[position].digest] = nil
    let last = entries.removeLast()
    if position < entries.count {
      entries[position] = last
      positions[last.digest] = position
    }
  }

  // MARK: Remembering

  private func insert(_ entry: VerifiedToken) {
    refused[entry.digest] = nil
    if let position = positions[entry.digest] {
      entries[position] = entry
      return
    }
    if entries.count < capacity {
      positions[entry.digest] = entries.count
      entries.append(entry)
      return
    }
    while entries[hand].wasUsed {
      entries[hand].wasUsed = false
      hand = (hand + 1) % entries.count
    }
    positions[entries[hand].digest] = nil
    positions[entry.digest] = hand
    entries[hand] = entry
    hand = (hand + 1) % entries.count
  }

  private func refuse(_ digest: Digest256, at now: Timestamp) {
    if let position = positions[digest] { remove(at: position) }
    if refused.count >= refusedCapacity {
      refused = refused.filter { now < $0.value }
      // A flood of different strings: forget them all rather than search for the oldest.
      if refused.count >= refusedCapacity { refused.removeAll() }
    }
    refused[digest] = now + refusedLifetime
  }
}

/// The facts of one token, and the last verdict on them.
final class VerifiedToken {
  let facts: TokenFacts
  let digest: Digest256
  /// Whether the facts came from the store rather than from the token itself.
  let isStored: Bool
  /// The changes that end it.
  let changes: [Change]
  var wasUsed = false
  /// `LoopRoute.serial` of the route that last allowed it.
  private var allowedRoute: UInt64 = 0

  init(_ facts: TokenFacts, digest: Digest256, isStored: Bool) {
    self.facts = facts
    self.digest = digest
    self.isStored = isStored
    changes = [
      .accessTokenRevoked(facts.locator), .clientChanged(facts.client), .accountChanged(facts.subject), .signingKeysChanged,
    ] + (facts.family.map { [.familyRevoked($0)] } ?? [])
  }

  func isTouched(by change: Change) -> Bool { changes.contains(change) }

  /// The route's policy on this token. Asked once per route in a row; expiry is looked at every time.
  func decide(_ route: LoopRoute, at now: Timestamp) -> AccessDecision {
    if allowedRoute == route.serial, now < facts.expiresAt { return .allow }
    let decision = route.route.access.decide(facts.authorization, expiresAt: facts.expiresAt, at: now)
    if decision == .allow { allowedRoute = route.serial }
    return decision
  }
}
