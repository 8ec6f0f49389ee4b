import Cryptography
import OAuthCore

/// What one endpoint said of tokens, for the whole process: one question at a time for each token, and answers that serve
/// on for a while when there are no new ones. A value: whoever holds it does the asking.
public struct IntrospectedTokens: Sendable {
  /// Answers that are remembered; half of them make room for new ones when that many came since the last time.
  public static let countMax = 20_000
  /// Questions under way, so that a slow endpoint holds back its own callers only.
  public static let askingCountMax = 64
  /// How long a token whose endpoint failed lives on its last answer before the endpoint is asked again.
  public static let failurePause = Duration.seconds(1)

  private struct Known {
    var token: VouchedToken
    var askedAt: Timestamp
    /// The endpoint failed: until then it is not asked about this token again.
    var pauseUntil = Timestamp(microseconds: .min)
  }

  private let service: IntrospectionService
  private let countMax: Int
  private var recent: [Digest256: Known] = [:]
  private var previous: [Digest256: Known] = [:]
  private var asking: Set<Digest256> = []

  public init(_ service: IntrospectionService, countMax: Int = IntrospectedTokens.countMax) {
    self.service = service
    self.countMax = countMax
  }

  public enum Answer: Sendable {
    case vouched(VouchedToken)
    /// Somebody is asking already: wait for what comes of it.
    case wait
    /// Ask, then tell `note` or `fail`.
    case ask
    /// As many questions are under way as may be.
    case overloaded
  }

  public mutating func find(_ digest: Digest256, at now: Timestamp) -> Answer {
    if let known = recent[digest] ?? previous[digest] {
      if now < known.token.believedUntil { return .vouched(known.token) }
      if now < known.pauseUntil, let token = stale(known, at: now) { return .vouched(token) }
    }
    if asking.contains(digest) { return .wait }
    guard asking.count < Self.askingCountMax else { return .overloaded }
    asking.insert(digest)
    return .ask
  }

  /// - Parameter token: nil: refused, whatever was said before.
  public mutating func note(_ digest: Digest256, _ token: VouchedToken?, askedAt: Timestamp) {
    asking.remove(digest)
    recent[digest] = nil
    previous[digest] = nil
    guard let token, service.lifetime > .zero || service.stalenessMax > .zero else { return }
    if recent.count >= max(1, countMax / 2) {
      previous = recent
      recent = [:]
    }
    recent[digest] = Known(token: token, askedAt: askedAt)
  }

  /// The endpoint gave no answer.
  ///
  /// - Returns: what it said last, when that is not too old; nil: nothing can be said of the token.
  public mutating func fail(_ digest: Digest256, at now: Timestamp) -> VouchedToken? {
    asking.remove(digest)
    guard var known = recent[digest] ?? previous[digest], let token = stale(known, at: now) else { return nil }
    known.pauseUntil = token.believedUntil
    recent[digest] = known
    previous[digest] = nil
    return token
  }

  private func stale(_ known: Known, at now: Timestamp) -> VouchedToken? {
    let end = min(known.askedAt + service.stalenessMax, known.token.facts.expiresAt)
    guard now < end else { return nil }
    var token = known.token
    token.believedUntil = min(now + Self.failurePause, end)
    token.believedAloneUntil = token.believedUntil
    return token
  }
}
