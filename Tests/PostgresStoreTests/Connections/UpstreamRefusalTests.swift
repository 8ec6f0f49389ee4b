import OAuthCore
import PostgresStore
import Synchronization
import Testing

@testable import Broker

/// DESIGN §5: a 401 of the upstream names the generation that failed.
@Suite("Tokens that upstreams refuse, on one PostgreSQL", .timeLimit(.minutes(5)))
struct UpstreamRefusalTests {
  @Test("200 callers whose token the upstream refuses: one refresh, and all get the new token", arguments: [1, 4])
  func refused(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect(life: .seconds(3600))
      #expect(await fleet.ask(40) == [.success("Bearer access-alice"): 40])
      let answers = await fleet.refuse(1, count: 200)
      #expect(answers == ["Bearer access-alice/1-1": 200])
      #expect(fleet.provider.callCount == 1)
    }
  }

  @Test("an upstream that refuses whatever it gets costs one refresh per storm window, on all instances together", arguments: [1, 4])
  func storm(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let clock = ShiftedClock()
      let fleet = Fleet(instances, rotation: .strict, clock: clock)
      try await fleet.connect(life: .seconds(3600))
      #expect(await fleet.refuse(1, count: 40) == ["Bearer access-alice/1-1": 40])
      for _ in 0..<3 { #expect(await fleet.refuse(2, count: 40) == ["Bearer access-alice/1-1": 40]) }
      // An instance that starts now knows, too.
      #expect(await fleet.another().refuse(2)?.generation == 2)
      #expect(fleet.provider.callCount == 1)
      clock.shift(by: BrokerLimits().stormWindow)
      #expect(await fleet.refuse(2, count: 40) == ["Bearer access-alice/2-2": 40])
      for _ in 0..<3 { #expect(await fleet.refuse(3, count: 40) == ["Bearer access-alice/2-2": 40]) }
      #expect(fleet.provider.callCount == 2)
    }
  }

  @Test("a refused token without a refresh token stays, and the provider is not asked")
  func irreplaceable() async throws {
    try await withInstances(1) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect(life: .seconds(3600), hasRefreshToken: false)
      let credential = await fleet.brokers[0].refuse(1)
      #expect(credential?.generation == 1)
      #expect(credential?.heedsRefusal(of: 1, at: RealClock().now) == false)
      #expect(fleet.provider.callCount == 0)
    }
  }
}

extension Fleet {
  /// What callers get whose upstream has refused a generation, by how many of them.
  fileprivate func refuse(_ generation: Int64, count: Int) async -> [String?: Int] {
    await withTaskGroup(of: String?.self) { group in
      for number in 0..<count {
        group.addTask { await brokers[number % brokers.count].refuse(generation)?.fieldValue.exposedText }
      }
      return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
  }
}

extension LiveCredentials {
  fileprivate func refuse(_ generation: Int64) async -> LiveCredential? {
    try? await credential(for: Fleet.key().provider, of: Fleet.key().owner, replacing: generation, isRefused: true)
  }
}

/// The clock on the wall, moved on.
private final class ShiftedClock: WallClock {
  private let shift = Mutex(Duration.zero)
  var now: Timestamp { RealClock().now + shift.withLock { $0 } }
  func shift(by duration: Duration) { shift.withLock { $0 += duration } }
}
