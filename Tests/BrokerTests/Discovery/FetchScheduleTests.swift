import Cryptography
import OAuthCore
import Testing

@testable import Broker

@Suite("What issuers publish")
struct FetchScheduleTests {
  private typealias Keys = FetchSchedule<VerificationKeySet>

  static let now = Timestamp(seconds: 1_700_000_000)

  private static func set(_ count: Int = 1) -> VerificationKeySet {
    VerificationKeySet(JWKSet(keys: (0..<count).map { _ in SigningKey.generate(.edDSA).publicJWK }))
  }

  private static func filled(_ cacheControl: String? = "max-age=1000") -> Keys {
    var keys = Keys()
    _ = keys.ask(at: now)
    keys.end(with: Fetched(set(), at: now, cacheControl: cacheControl))
    return keys
  }

  @Test("However many ask, one fetch is begun")
  func collapsed() {
    var keys = Keys()
    let answers = (0..<100).map { _ in keys.ask(at: Self.now) }
    #expect(answers.filter(\.mustFetch).count == 1)
    #expect(answers.allSatisfy { if case .wait = $0.0 { true } else { false } })
  }

  @Test("Keys are fetched ahead while they serve, waited for when they are no longer fresh, and let in nobody when stale")
  func ages() {
    var keys = Self.filled()
    func isUsed(_ answer: Keys.Answer) -> Bool { if case .use = answer { true } else { false } }
    let early = keys.ask(at: Self.now + .seconds(799))
    #expect(isUsed(early.0) && !early.mustFetch)
    let due = keys.ask(at: Self.now + .seconds(800))
    #expect(isUsed(due.0) && due.mustFetch)
    let again = keys.ask(at: Self.now + .seconds(801))
    #expect(isUsed(again.0) && !again.mustFetch)
    keys.fail(at: Self.now + .seconds(802))

    let old = keys.ask(at: Self.now + .seconds(1000))
    #expect(!isUsed(old.0) && old.mustFetch)
    keys.fail(at: Self.now + .seconds(1001))
    // Nothing better is to be had: what was known serves on while the fetches pause, and no longer than a day.
    let paused = keys.ask(at: Self.now + .seconds(1001))
    #expect(isUsed(paused.0) && !paused.mustFetch)
    let stale = keys.ask(at: Self.now + .seconds(1000) + FetchLimits.stalenessMax)
    #expect(!isUsed(stale.0))
    #expect(keys.fetched == nil)
  }

  @Test("RFC 9111 §5.2.2.1: max-age counts, between 5 minutes and a day", arguments: [
    (nil, 600), ("max-age=0", 300), ("no-store", 600), ("max-age=3600", 3600), ("public, Max-Age = 3600, immutable", 3600),
    ("max-age=\"900\"", 900), ("max-age=999999999999999999999", 86_400), ("max-age=-5", 600), ("s-maxage=7000", 600), ("max-age", 600),
  ] as [(String?, Int64)])
  func freshness(cacheControl: String?, seconds: Int64) {
    #expect(Fetched(Self.set(), at: Self.now, cacheControl: cacheControl).freshUntil == Self.now + .seconds(seconds))
  }

  @Test("A flood of unknown keys begins one fetch in 30 seconds")
  func unknownKeys() {
    var keys = Self.filled()
    let later = Self.now + .seconds(60)
    var fetchCount = 0
    for _ in 0..<1000 { if keys.askForUnknownKey(at: later)?.mustFetch == true { fetchCount += 1 } }
    #expect(fetchCount == 1)
    keys.end(with: Fetched(Self.set(), at: later))
    for second in 0..<30 { #expect(keys.askForUnknownKey(at: later + .seconds(second)) == nil) }
    #expect(keys.askForUnknownKey(at: later + .seconds(30))?.mustFetch == true)
  }

  @Test("A key that was fetched a moment ago is not fetched again for a token that names another")
  func unknownKeyAfterFirstFetch() {
    var keys = Self.filled()
    #expect(keys.askForUnknownKey(at: Self.now + .seconds(29)) == nil)
  }

  @Test("Fetches that fail are pauses apart, doubled up to a minute; a good one ends that")
  func backOff() {
    var keys = Keys()
    var now = Self.now
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
      #expect(keys.ask(at: now).mustFetch)
      keys.fail(at: now)
      let waiting = keys.ask(at: now + .seconds(pause) - .microseconds(1))
      #expect(!waiting.mustFetch)
      if case .unavailable = waiting.0 {} else { Issue.record("nobody is let in without keys") }
      now = now + .seconds(pause)
    }
    #expect(keys.ask(at: now).mustFetch)
    keys.end(with: Fetched(Self.set(), at: now))
    keys.fail(at: now)
    #expect(keys.ask(at: now + .seconds(480)).mustFetch)
  }

  @Test("A fetch tells which keys are gone, whatever they are called")
  func withdrawn() throws {
    let jwks = (0..<3).map { SigningKey.generate(.edDSA, id: "\($0)").publicJWK }
    let old = VerificationKeySet(JWKSet(keys: jwks))
    #expect(old.withdrawn(from: nil).isEmpty)
    let renamed = JWK(id: "other", material: jwks[1].material)
    let gone = VerificationKeySet(JWKSet(keys: [jwks[2], renamed])).withdrawn(from: old)
    #expect(gone == VerificationKeySet(JWKSet(keys: [jwks[0]])).thumbprints)
  }
}
