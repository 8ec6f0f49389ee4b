import OAuthCore
import Testing

@Suite struct FailureLimiterTests {
  private let start = Timestamp(seconds: 1_750_000_000)
  private let alice = AttemptSubject.account("alice")

  private func limiter(_ burst: Int = 3, every seconds: Int = 10) -> FailureLimiter {
    FailureLimiter(
      perAccount: .init(burst: burst, every: .seconds(seconds)), perNetwork: .init(burst: 100, every: .seconds(1)))
  }

  @Test("After a burst of failures the next attempt waits, and waiting helps: no permanent lock-out")
  func burst() {
    let limiter = limiter()
    for _ in 0..<3 {
      #expect(limiter.wait([alice], at: start) == nil)
      #expect(limiter.settle([alice], succeeded: false, at: start) == nil)
    }
    #expect(limiter.wait([alice], at: start) == 10)
    #expect(limiter.wait([alice], at: start + .milliseconds(9_001)) == 1)
    #expect(limiter.wait([alice], at: start + .seconds(10)) == nil)
    #expect(limiter.settle([alice], succeeded: false, at: start + .seconds(10)) == nil)
    #expect(limiter.wait([alice], at: start + .seconds(10)) == 10)
    #expect(limiter.wait([alice], at: start + .seconds(3600)) == nil)
  }

  @Test("Attempts that are turned away add nothing to the wait")
  func turnedAway() {
    let limiter = limiter()
    for _ in 0..<1000 { _ = limiter.settle([alice], succeeded: false, at: start) }
    #expect(limiter.wait([alice], at: start) == 10)
  }

  @Test("A success that settles while limited is not told")
  func successWhileLimited() {
    let limiter = limiter()
    for _ in 0..<3 { _ = limiter.settle([alice], succeeded: false, at: start) }
    #expect(limiter.settle([alice], succeeded: true, at: start) == 10)
  }

  @Test("Of many attempts in flight at once, no more are told than the burst allows")
  func parallel() async {
    let limiter = limiter(5)
    let told = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<200 { group.addTask { limiter.settle([alice], succeeded: false, at: start) == nil } }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(told == 5)
  }

  @Test("Successes cost nothing, and subjects do not share")
  func independent() {
    let limiter = limiter()
    for _ in 0..<100 { #expect(limiter.settle([alice], succeeded: true, at: start) == nil) }
    for _ in 0..<3 { _ = limiter.settle([alice], succeeded: false, at: start) }
    #expect(limiter.wait([.account("bob")], at: start) == nil)
    #expect(limiter.wait([.client(ClientID("alice"))], at: start) == nil)
    #expect(limiter.wait([.account("bob"), alice], at: start) == 10)
  }

  @Test("Many subjects push out the oldest, never the one just seen")
  func bounded() {
    let limiter = limiter()
    for _ in 0..<3 { _ = limiter.settle([alice], succeeded: false, at: start) }
    for number in 0..<FailureLimiter.subjectCountMax {
      _ = limiter.settle([.account("user \(number)")], succeeded: false, at: start)
    }
    #expect(limiter.wait([alice], at: start) == 10)
    for number in 0..<(2 * FailureLimiter.subjectCountMax) {
      _ = limiter.settle([.account("other \(number)")], succeeded: false, at: start)
    }
    #expect(limiter.wait([alice], at: start) == nil)
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
}
