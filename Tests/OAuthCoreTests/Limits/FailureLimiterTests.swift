import OAuthCore
import Testing

@Suite struct FailureLimiterTests {
  private let start = Timestamp(seconds: 1_750_000_000)
  private let alice = attempt("alice")

  private func limiter(_ burst: Int = 3, every seconds: Int = 10) -> FailureLimiter {
    FailureLimiter(
      perAccount: .init(burst: burst, every: .seconds(seconds)), perNetwork: .init(burst: 100, every: .seconds(1)))
  }

  @Test("After a burst of failures the next attempt waits, and waiting helps: no permanent lock-out")
  func burst() {
    let limiter = limiter()
    for _ in 0..<3 {
      #expect(limiter.wait(alice, at: start) == nil)
      #expect(limiter.fail(alice, at: start) == nil)
    }
    #expect(limiter.wait(alice, at: start) == 10)
    #expect(limiter.wait(alice, at: start + .milliseconds(9_001)) == 1)
    #expect(limiter.wait(alice, at: start + .seconds(10)) == nil)
    #expect(limiter.fail(alice, at: start + .seconds(10)) == nil)
    #expect(limiter.wait(alice, at: start + .seconds(10)) == 10)
    #expect(limiter.wait(alice, at: start + .seconds(3600)) == nil)
  }

  @Test("Attempts that are turned away add nothing to the wait")
  func turnedAway() {
    let limiter = limiter()
    for _ in 0..<1000 { _ = limiter.fail(alice, at: start) }
    #expect(limiter.wait(alice, at: start) == 10)
  }

  @Test("Of many attempts in flight at once, no more begin than the burst allows; each that was right makes room")
  func parallel() async {
    let limiter = limiter(5)
    let begun = await withTaskGroup(of: Reservation?.self) { group in
      for _ in 0..<200 { group.addTask { limiter.begin(alice, at: start).reservation } }
      return await group.reduce(into: [Reservation]()) { begun, reservation in
        if let reservation { begun.append(reservation) }
      }
    }
    #expect(begun.count == 5)
    for (reservation, outcome) in zip(begun, [.right, .unjudged, .wrong] as [AttemptOutcome]) {
      limiter.settle(reservation, outcome)
    }
    let again = (0..<200).count { _ in limiter.begin(Self.attempt("alice", from: "198.51.100.7"), at: start).reservation != nil }
    #expect(again == 2)
  }

  @Test("An attempt that nobody settles is forgiven like a failure")
  func abandoned() {
    let limiter = limiter(1)
    #expect(limiter.begin(alice, at: start).reservation != nil)
    #expect(limiter.begin(alice, at: start).reservation == nil)
    #expect(limiter.begin(alice, at: start + .seconds(10)).reservation != nil)
  }

  @Test("Successes cost nothing, and subjects do not share")
  func independent() throws {
    let limiter = limiter()
    for _ in 0..<100 { limiter.settle(try #require(limiter.begin(alice, at: start).reservation), .right) }
    let elsewhere = Self.attempt("alice", from: "198.51.100.7")
    for _ in 0..<3 { #expect(limiter.fail(elsewhere, at: start) == nil) }
    #expect(limiter.wait(elsewhere, at: start) == 10)
    #expect(limiter.wait(Self.attempt("bob"), at: start) == nil)
    #expect(limiter.wait(Attempt(of: .client(ClientID("alice")), from: "192.0.2.1"), at: start) == nil)
  }

  @Test("What is given back late, after its bucket ran empty, makes no room beyond the burst")
  func givenBackLate() throws {
    let limiter = limiter()
    let reservation = try #require(limiter.begin(alice, at: start).reservation)
    limiter.settle(reservation, .unjudged)
    let later = start + .seconds(3600)
    for _ in 0..<3 { #expect(limiter.fail(alice, at: later) == nil) }
    #expect(limiter.wait(alice, at: later) == 10)
  }

  @Test("A network that the secret came from is counted for itself: strangers cannot fill it, and it cannot guess freely")
  func trustedNetwork() {
    let limiter = FailureLimiter(
      perAccount: .init(burst: 3, every: .seconds(10)), perNetwork: .init(burst: 2, every: .seconds(20)))
    limiter.succeeded(alice)
    for last in 7...9 { #expect(limiter.fail(Self.attempt("alice", from: "198.51.100.\(last)"), at: start) == nil) }
    #expect(limiter.wait(Self.attempt("alice", from: "203.0.113.1"), at: start) == 10)
    #expect(limiter.wait(Self.attempt("bob"), at: start) == nil)
    for _ in 0..<2 { #expect(limiter.fail(alice, at: start) == nil) }
    #expect(limiter.wait(alice, at: start) == 20)
  }

  @Test("Many subjects push out the oldest, never the one just seen")
  func bounded() {
    let limiter = limiter()
    for _ in 0..<3 { _ = limiter.fail(alice, at: start) }
    for number in 0..<(FailureLimiter.subjectCountMax / 2) {
      _ = limiter.fail(Self.attempt("user \(number)", from: "network \(number)"), at: start)
    }
    #expect(limiter.wait(alice, at: start) == 10)
    for number in 0..<FailureLimiter.subjectCountMax {
      _ = limiter.fail(Self.attempt("other \(number)", from: "network \(number)"), at: start)
    }
    #expect(limiter.wait(alice, at: start) == nil)
  }

  @Test(
    "RFC 4291 §2.5.1: an IPv6 source is its /64, an IPv4 source its address",
    arguments: [
      ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::1"), ("2001:db8::1", "2001:db8::2"), ("::1", "::1"),
      ("2001:db8:1:2::", "2001:db8:1:2::9"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ])
  func sameNetwork(_ left: String, _ right: String) {
    #expect(AttemptSubject.source(left) == AttemptSubject.source(right))
  }

  @Test(
    "Other networks are other sources",
    arguments: [
      ("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1"), ("2001:db8::1", "2001:db9::1"),
      ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ])
  func otherNetwork(_ left: String, _ right: String) {
    #expect(AttemptSubject.source(left) != AttemptSubject.source(right))
  }

  private static func attempt(_ name: String, from address: String = "192.0.2.1") -> Attempt {
    Attempt(of: .account(name), from: address)
  }
}

extension Admission {
  fileprivate var reservation: Reservation? { if case .admitted(let reservation) = self { reservation } else { nil } }
}

extension FailureLimiter {
  /// An attempt with a wrong secret.
  ///
  /// - Returns: seconds to wait, when it was turned away.
  fileprivate func fail(_ attempt: Attempt, at now: Timestamp) -> Int? {
    switch begin(attempt, at: now) {
    case .limited(let seconds): return seconds
    case .admitted(let reservation):
      settle(reservation, .wrong)
      return nil
    }
  }
}
