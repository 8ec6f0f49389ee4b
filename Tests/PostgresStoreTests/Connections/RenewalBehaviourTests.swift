import Cryptography
import EventLoop
import OAuthCore
import PostgresStore
import Testing

@testable import Broker

@Suite("Renewal though nobody asks", .timeLimit(.minutes(5)))
struct RenewalBehaviourTests {
  private func scheduler(_ broker: LiveCredentials, _ instance: Instance, claim: Duration) -> RenewalScheduler {
    var limits = RenewalScheduler.Limits()
    limits.claim = claim
    limits.idlePause = .milliseconds(20)
    limits.busyPause = .milliseconds(5)
    return RenewalScheduler(
      credentials: broker, queue: PostgresRenewalQueue(pools: instance.pools, logger: silent),
      incidents: PostgresProviderIncidentStore(pools: instance.pools, logger: silent), clock: RealClock(),
      random: SystemRandom(), sleeper: RealSleeper(loop: instance.loops[0]), limits: limits)
  }

  @Test("everything that is due is refreshed once, by however many instances, and no more at a time than the provider is to have")
  func drains() async throws {
    try await withInstances(4) { instances in
      let fleet = Fleet(instances, rotation: .strict, pause: .milliseconds(20), concurrency: 2)
      for number in 0..<60 { try await fleet.connect("user-\(number)", life: .seconds(number % 2 == 0 ? 60 : -60)) }
      try await fleet.connect("fresh", life: .seconds(3600))
      let tasks = run(fleet)
      let renewed = "SELECT count(*) FROM connection_credential WHERE generation = 2"
      try await reach(instances[0], "renewed") { try await instances[0].sql(renewed)[0].int64(0) == 60 }
      for task in tasks { task.cancel() }
      for broker in fleet.brokers { await broker.shutdown() }
      #expect(fleet.provider.callCount == 60)
      #expect(fleet.provider.inFlightMax <= 4 * 2)
      #expect(try await instances[0].sql("SELECT FROM renewal WHERE due_at <= now()").isEmpty)
    }
  }

  @Test("who has not been used for long is left alone until its refresh token would lapse")
  func idle() async throws {
    try await withInstances(1) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      for name in ["idle", "used", "lapsing"] { try await fleet.connect(name) }
      _ = try await instances[0].sql("UPDATE connection SET connected_at = now() - interval '3 days'")
      _ = try await instances[0].sql(
        """
        UPDATE renewal SET renewed_at = now() - interval '21 days'
        WHERE connection = (SELECT id FROM connection WHERE subject = 'lapsing')
        """)
      let queue = PostgresRenewalQueue(pools: instances[0].pools, logger: silent)
      try await queue.recordUse(of: [Fleet.key("used"), Fleet.key("nobody")], at: RealClock().now)
      let tasks = run(fleet)
      let settled = "SELECT FROM renewal WHERE due_at > now() + interval '50 minutes'"
      try await reach(instances[0], "settled") { try await instances[0].sql(settled).count == 3 }
      for task in tasks { task.cancel() }
      let generations = try await instances[0].sql(
        "SELECT subject, generation FROM connection JOIN connection_credential ON connection = id ORDER BY subject")
      #expect(try generations.map { "\(try $0.text(0)) \(try $0.int64(1))" } == ["idle 1", "lapsing 2", "used 2"])
      let idleDue = try await instances[0].sql(
        """
        SELECT due_at BETWEEN now() + interval '19 days' AND now() + interval '21 days'
        FROM renewal JOIN connection ON id = connection WHERE subject = 'idle'
        """)
      #expect(try idleDue[0].bool(0))
    }
  }

  @Test("a provider that refuses Postern itself is an incident: no connection dies, nobody else asks, and other instances hear")
  func incident() async throws {
    try await withInstances(2) { instances in
      let fleet = Fleet(instances, rotation: .strict, concurrency: 1)
      for number in 0..<10 { try await fleet.connect("user-\(number)") }
      for _ in 0..<3 { fleet.provider.script(.json(401, #"{"error":"invalid_client"}"#)) }
      // Who was turned away is due again when the claim has ended.
      let tasks = run(fleet, claim: .milliseconds(200))
      try await reach(instances[0], "renewed") {
        try await instances[0].sql("SELECT FROM connection_credential WHERE generation = 2").count == 10
      }
      #expect(fleet.provider.callCount == 13)
      try await reach(instances[0], "the incident ended") { try await instances[0].count("provider_incident") == 0 }
      for task in tasks { task.cancel() }
      #expect(try await instances[0].sql("SELECT FROM connection WHERE state <> 'active'").isEmpty)
    }
  }

  @Test("an incident that one instance has met ends when the provider has dealt with another, though the first asks nothing more")
  func incidentOfAnother() async throws {
    try await withInstances(2) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      for name in ["alice", "bob"] { try await fleet.connect(name, life: .seconds(3600)) }
      let tasks = run(fleet)
      fleet.provider.script(.json(401, #"{"error":"invalid_client"}"#))
      _ = await fleet.brokers[0].renewal(of: Fleet.key("alice"))
      #expect(fleet.brokers[0].incidents.count == 1)
      try await reach(instances[0], "the incident is on record") { try await instances[0].count("provider_incident") == 1 }
      // Until the pause is over, what the other has met is heard.
      try await reach(instances[0], "renewed by the other") {
        await fleet.brokers[1].renewal(of: Fleet.key("bob")) == .success("Bearer access-bob/1-2")
      }
      try await reach(instances[0], "the incident ended") {
        try await instances[0].count("provider_incident") == 0 && fleet.brokers[0].incidents.isEmpty
      }
      for task in tasks { task.cancel() }
    }
  }

  private func run(_ fleet: Fleet, claim: Duration = .seconds(60)) -> [Task<Void, Never>] {
    zip(fleet.brokers, fleet.instances).map { broker, instance in
      let scheduler = scheduler(broker, instance, claim: claim)
      return instance.loops[0].task { await scheduler.run() }
    }
  }

  private func reach(_ instance: Instance, _ what: String, _ isReached: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while try await !isReached() {
      guard ContinuousClock.now < end else { throw Unreached(what: what) }
      await instance.loops[0].sleep(for: .milliseconds(10))
    }
  }
}

private struct Unreached: Error {
  let what: String
}

extension LiveCredentials {
  /// Has the first generation replaced.
  fileprivate func renewal(of key: ConnectionKey) async -> Result<String, BrokerFailure> {
    do throws(BrokerFailure) {
      return .success(try await credential(for: key.provider, of: key.owner, replacing: 1).fieldValue.exposedText)
    } catch {
      return .failure(error)
    }
  }
}
