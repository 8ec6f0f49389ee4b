import OAuthCore
import Testing

@testable import Broker

@Suite("When connections are renewed though nobody asks")
struct RenewalPolicyTests {
  private static let now = Timestamp(seconds: 1_700_000_000)

  private func decide(usedBefore used: Duration, renewedBefore renewed: Duration) -> RenewalPolicy.Decision {
    let due = DueRenewal(
      key: ConnectionKey(provider: "cloudvault", owner: .subject(Subject("alice"))), generation: 1,
      usedAt: Self.now - used, renewedAt: Self.now - renewed)
    return RenewalPolicy().decide(due, at: Self.now)
  }

  private static func days(_ count: Int64) -> Duration { .seconds(count * 86_400) }

  @Test("what was used within keep_fresh is renewed")
  func used() {
    #expect(decide(usedBefore: .seconds(60), renewedBefore: .seconds(3500)) == .renew)
    #expect(decide(usedBefore: Self.days(1) - .seconds(1), renewedBefore: Self.days(40)) == .renew)
  }

  @Test("what is idle is left alone until keep_alive after its last refresh, and renewed then")
  func idle() {
    #expect(decide(usedBefore: Self.days(1), renewedBefore: Self.days(1)) == .postpone(until: Self.now + Self.days(19)))
    #expect(decide(usedBefore: Self.days(300), renewedBefore: Self.days(20)) == .renew)
  }
}
