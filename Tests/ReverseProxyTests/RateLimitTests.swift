import PosternTesting
import Testing

@testable import ReverseProxy

@Suite("Rate limits") struct RateLimitTests {
  private static let second: Int64 = 1_000_000_000

  @Test("a bucket gives its burst at once, then the rate, and no more whenever it is asked")
  func bucket() {
    let rule = RateRule(key: .address, count: 10, period: 1, burst: 3)
    var bucket = TokenBucket(fullAt: .min)
    let start: Int64 = 5_000 * Self.second
    #expect((0..<3).map { _ in bucket.take(rule, at: start).remaining } == [2, 1, 0])
    let refused = bucket.take(rule, at: start)
    #expect(!refused.isAllowed && refused.retryAfter == 1 && refused.remaining == 0)
    // What is refused costs nothing.
    #expect(!bucket.take(rule, at: start + Self.second / 10 - 1).isAllowed)
    #expect(bucket.take(rule, at: start + Self.second / 10).isAllowed)
    #expect(!bucket.take(rule, at: start + Self.second / 10).isAllowed)
    // A long rest fills it to the brim and not beyond.
    #expect(bucket.take(rule, at: start + 1_000 * Self.second).remaining == 2)
  }

  @Test("over a minute of asking a thousand times a second, the allowed requests are burst and rate", arguments: [1, 7, 100, 999])
  func longRun(count: Int) {
    let rule = RateRule(key: .client, count: count, period: 1, burst: 50)
    var bucket = TokenBucket(fullAt: .min)
    let allowed = (0..<60_000).count { bucket.take(rule, at: Int64($0) * Self.second / 1000).isAllowed }
    #expect((count * 60 + 49...count * 60 + 51).contains(allowed), "\(allowed)")
  }

  @Test("Retry-After is the time until one request is allowed, and the reset that until the bucket is full, rounded up")
  func seconds() {
    let rule = RateRule(key: .client, count: 2, period: 60, burst: 4)
    var bucket = TokenBucket(fullAt: .min)
    let verdicts = (0..<5).map { _ in bucket.take(rule, at: 0) }
    #expect(verdicts.map(\.secondsUntilFull) == [30, 60, 90, 120, 120])
    #expect(verdicts.map(\.retryAfter) == [0, 0, 0, 0, 30])
    #expect(bucket.take(rule, at: 29 * Self.second + 1).retryAfter == 1)
    #expect(bucket.take(rule, at: 30 * Self.second).isAllowed)
  }

  @Test("whoever comes as more callers than the table holds gets no bucket filled by being forgotten")
  func eviction() {
    let rule = RateRule(key: .address, count: 1, period: 3600, burst: 5)
    var buckets = RateBuckets(rule, setCount: 4)
    let places = 4 * RateBuckets.placesPerSet
    var generator = SplitMix(seed: 7)
    let keys = (0..<20 * places).map { _ in generator.next() }
    // Every key asks for its whole burst, over and over, in the order that suits the attacker best.
    var allowed = 0
    for _ in 0..<10 { for key in keys { for _ in 0..<6 { if buckets.take(key, at: 0).isAllowed { allowed += 1 } } } }
    #expect(allowed == places * rule.burst)
    // Refused keys are refused still, and after an hour each place has earned one request.
    #expect(keys.allSatisfy { !buckets.take($0, at: 0).isAllowed })
    let later = keys.count { buckets.take($0, at: 3600 * Self.second).isAllowed }
    #expect(later == places)
  }

  @Test("a caller among few keeps its own bucket, whatever the others do")
  func independence() {
    let rule = RateRule(key: .client, count: 1, period: 1, burst: 5)
    var buckets = RateBuckets(rule, setCount: 1)
    for _ in 0..<100 { _ = buckets.take(1, at: 0) }
    #expect(buckets.take(2, at: 0).remaining == 4)
    #expect(!buckets.take(1, at: 0).isAllowed)
    // Full buckets make room first: the one in debt is still known.
    for key in 3...100 as ClosedRange<UInt64> { #expect(buckets.take(key, at: Int64(key) * 2 * Self.second).isAllowed) }
  }

  @Test("loops that count at once let through what one would")
  func concurrency() async {
    let table = RateTable(RateRule(key: .client, count: 1, period: 3600, burst: 1_000))
    let allowed = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask { (0..<1_000).count { _ in table.take(.client("a"), at: 0).isAllowed } }
      }
      return await group.reduce(0, +)
    }
    #expect(allowed == 1_000)
    #expect(table.take(.client("b"), at: 0).isAllowed)
    #expect(table.take(.subject("a"), at: 0).isAllowed, "a subject is no client of that name")
  }

  @Test("an IPv6 /64 is one caller, and an IPv4 address is one however it is written")
  func addresses() throws {
    func caller(_ text: String) -> RateCaller { RateCaller(literal: Array(text.utf8)) }
    #expect(caller("2001:db8::1") == caller("2001:db8:0:0:ffff::2"))
    #expect(caller("2001:db8::1") != caller("2001:db8:0:1::1"))
    #expect(caller("192.0.2.1") == caller("::ffff:192.0.2.1"))
    #expect(caller("192.0.2.1") != caller("192.0.2.2"))
    #expect(caller("0.0.0.1") != caller("::1"))
  }

  @Test("draft-ietf-httpapi-ratelimit-headers-10: policy and state are lists of named items with a quota, window and rest")
  func fields() {
    let fields = RateFields(RateRule(key: .client, count: 100, period: 1, burst: 250), route: "crm")
    #expect(fields.policy == "\"crm\";q=250;w=3")
    var bucket = TokenBucket(fullAt: .min)
    let verdict = bucket.take(RateRule(key: .client, count: 100, period: 1, burst: 250), at: 0)
    #expect(fields.state(verdict) == "\"crm\";r=249;t=1")
    #expect(RateFields(RateRule(key: .client, count: 60, period: 60, burst: 1), route: "a").policy == "\"a\";q=60;w=60")
    #expect(RateFields(RateRule(key: .client, count: 5, period: 3600), route: "a").policy == "\"a\";q=5;w=3600")
  }
}
