import Cryptography
import OAuthCore

/// How long what an issuer publishes is believed, and how often it is asked for.
public enum FetchLimits {
  /// What was withdrawn is believed for no longer than this. It also bounds how often a busy issuer is asked.
  public static let freshnessRange: ClosedRange<Duration> = .seconds(5 * 60)...Duration.seconds(24 * 3600)
  /// Without a word of the issuer.
  public static let freshnessWhenUnnamed = Duration.seconds(10 * 60)
  /// How long a document serves on while it cannot be fetched.
  public static let stalenessMax = Duration.seconds(24 * 3600)
  /// Between fetches that tokens with unknown keys cause: anybody can make such a token.
  public static let unknownKeyPause = Duration.seconds(30)
  /// Between fetches while they fail: doubled with each failure from the first to the last of these.
  public static let failurePause: ClosedRange<Duration> = .seconds(1)...Duration.seconds(60)
}

/// A document of an issuer as it was fetched, and for how long: metadata or keys.
public struct Fetched<Document: Sendable>: Sendable {
  public let document: Document
  /// From then on it is fetched again while it still serves.
  public let refreshAt: Timestamp
  /// From then on nobody is served by it before it was fetched again, if it can be.
  public let freshUntil: Timestamp
  /// From then on it serves nobody.
  public let staleUntil: Timestamp

  /// - Parameter cacheControl: of the answer; its `max-age` is brought within bounds here.
  public init(_ document: Document, at now: Timestamp, cacheControl: String? = nil) {
    let range = FetchLimits.freshnessRange
    let named = cacheControl.flatMap(Self.maxAge) ?? FetchLimits.freshnessWhenUnnamed
    let freshness = min(max(named, range.lowerBound), range.upperBound)
    self.document = document
    refreshAt = now + freshness * 4 / 5
    freshUntil = now + freshness
    staleUntil = now + freshness + FetchLimits.stalenessMax
  }

  /// Source: RFC 9111 §5.2.2.1; §1.2.2: digits that overflow are a very long time.
  private static func maxAge(_ cacheControl: String) -> Duration? {
    for directive in cacheControl.lowercased().split(separator: ",") {
      let parts = directive.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\"" } }
      guard parts.count == 2, parts[0] == "max-age", !parts[1].isEmpty,
        parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
      else { continue }
      return .seconds(min(Int64(parts[1]) ?? .max, FetchLimits.freshnessRange.upperBound.components.seconds))
    }
    return nil
  }

  /// How long a verdict by it is remembered: until it is due, so that busy tokens have it fetched, too.
  public func believedUntil(at now: Timestamp) -> Timestamp {
    if now < refreshAt { return refreshAt }
    return now < freshUntil ? freshUntil : min(now + FetchLimits.failurePause.lowerBound, staleUntil)
  }
}

/// What is known of one document, and when it is to be fetched: one fetch at a time, however many ask, and none that
/// strangers could cause at will. A value: whoever holds it does the fetching.
public struct FetchSchedule<Document: Sendable>: Sendable {
  public private(set) var fetched: Fetched<Document>?
  public private(set) var isFetching = false
  private var lastFetchAt = Timestamp(microseconds: .min)
  private var retryAt = Timestamp(microseconds: .min)
  private var failureCount = 0

  public init() {}

  public enum Answer: Sendable {
    case use(Fetched<Document>)
    /// A fetch is under way, or begins with this answer: ask again when it has ended.
    case wait
    /// Nothing can be had now.
    case unavailable
  }

  /// - Returns: what whoever asks gets, and whether he is to begin a fetch; `isFetching` is set by then.
  public mutating func ask(at now: Timestamp) -> (Answer, mustFetch: Bool) {
    guard let fetched, now < fetched.staleUntil else {
      self.fetched = nil
      return waitForFetch(at: now) ?? (.unavailable, false)
    }
    if now < fetched.refreshAt { return (.use(fetched), false) }
    if now < fetched.freshUntil { return (.use(fetched), beginFetch(at: now)) }
    return waitForFetch(at: now) ?? (.use(fetched), false)
  }

  /// A token named a key that is not among those of `fetched`, or no key fits it.
  ///
  /// - Returns: nil when the token is to be refused: the keys are as new as such a token can make them.
  public mutating func askForUnknownKey(at now: Timestamp) -> (Answer, mustFetch: Bool)? {
    if isFetching { return (.wait, false) }
    guard lastFetchAt + FetchLimits.unknownKeyPause <= now else { return nil }
    return beginFetch(at: now) ? (.wait, true) : nil
  }

  public mutating func end(with new: Fetched<Document>) {
    fetched = new
    isFetching = false
    failureCount = 0
    retryAt = Timestamp(microseconds: .min)
  }

  /// The fetch brought nothing: what was known serves on, within its bounds.
  public mutating func fail(at now: Timestamp) {
    isFetching = false
    let pause = FetchLimits.failurePause.lowerBound * (1 << min(failureCount, 6))
    failureCount += 1
    retryAt = now + min(pause, FetchLimits.failurePause.upperBound)
  }

  private mutating func waitForFetch(at now: Timestamp) -> (Answer, mustFetch: Bool)? {
    if isFetching { return (.wait, false) }
    return beginFetch(at: now) ? (.wait, true) : nil
  }

  private mutating func beginFetch(at now: Timestamp) -> Bool {
    guard !isFetching, retryAt <= now else { return false }
    isFetching = true
    lastFetchAt = now
    return true
  }
}
