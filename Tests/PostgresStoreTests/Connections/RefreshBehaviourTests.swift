import Cryptography
import EventLoop
import Glibc
import LocalPostgres
import OAuthCore
import PostgresClient
import PostgresStore
import Synchronization
import Testing

@testable import Broker

/// Instances of the broker on one PostgreSQL, and a provider that counts.
private struct Fleet: Sendable {
  let instances: [Instance]
  let provider: RotatingProvider
  let rotation: ProviderAuthorization.Rotation
  let brokers: [LiveCredentials]
  private let lease: Duration

  static let ring = try! KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))])

  init(
    _ instances: [Instance], rotation: ProviderAuthorization.Rotation, pause: Duration = .zero, concurrency: Int = 8,
    lease: Duration = .seconds(5)
  ) {
    self.instances = instances
    self.rotation = rotation
    self.lease = lease
    let provider = RotatingProvider(rotation, pause: pause)
    self.provider = provider
    brokers = instances.map { Fleet.broker($0, rotation, provider, concurrency, lease) }
  }

  /// One more instance, or one that is about to die.
  func another(over transport: (any ProviderTransport)? = nil) -> LiveCredentials {
    Fleet.broker(instances[0], rotation, transport ?? provider, 8, lease)
  }

  private static func broker(
    _ instance: Instance, _ rotation: ProviderAuthorization.Rotation, _ transport: any ProviderTransport, _ concurrency: Int,
    _ lease: Duration
  ) -> LiveCredentials {
    // Everything is shorter than in production, in the same order.
    var limits = BrokerLimits()
    limits.lease = lease
    limits.leaseWait = lease + .seconds(2)
    limits.transientPauseMin = .milliseconds(20)
    limits.refusalPauseMin = .milliseconds(20)
    limits.storePauseMin = .milliseconds(20)
    limits.endedPause = .milliseconds(10)
    return LiveCredentials(
      providers: [provider(rotation, concurrency: concurrency)],
      store: PostgresConnectionStore(pools: instance.pools, logger: silent), transport: transport, keyRing: ring,
      clock: RealClock(), random: SystemRandom(), sleeper: RealSleeper(loop: instance.loops[0]), executor: instance.loops[0],
      observer: Silence(), limits: limits)
  }

  static func provider(_ rotation: ProviderAuthorization.Rotation, concurrency: Int = 8) -> Provider {
    var renewal = RenewalPolicy()
    renewal.concurrency = concurrency
    return Provider(
      id: ProviderID("box"), tokenEndpoint: EndpointURL("https://box.example/token")!,
      client: ProviderClient(id: "postern", secret: Secret("s3cret")), allowedHosts: ["box.example"],
      authorization: ProviderAuthorization(
        endpoint: EndpointURL("https://box.example/authorize")!, rotation: rotation, renewal: renewal))
  }

  var store: PostgresConnectionStore { PostgresConnectionStore(pools: instances[0].pools, logger: silent) }

  static func key(_ name: String = "alice") -> ConnectionKey {
    ConnectionKey(provider: ProviderID("box"), owner: .subject(Subject(name)))
  }

  /// Stores what a user has connected; its access token ends after `life` from now.
  func connect(_ name: String = "alice", life: Duration = .seconds(-1)) async throws {
    let now = RealClock().now
    let record = CredentialRecord(
      accessToken: Secret("access-\(name)"), refreshToken: Secret(provider.grant(to: name)), obtainedAt: now - .seconds(3600),
      expiresAt: now + life, fingerprint: Fleet.provider(rotation).fingerprint)
    let generation = try await store.prepare(Fleet.key(name)) + 1
    let sealed = CredentialSealer(ring: Fleet.ring).seal(record, of: Fleet.key(name), generation: generation)
    #expect(try await store.establish(sealed, of: Fleet.key(name), at: now - .seconds(3600)) == .stored)
  }

  /// What callers get, by how many of them.
  func ask(_ count: Int, of name: String = "alice") async -> [Result<String, BrokerFailure>: Int] {
    await withTaskGroup(of: Result<String, BrokerFailure>.self) { group in
      for number in 0..<count { group.addTask { await brokers[number % brokers.count].answer(Fleet.key(name)) } }
      return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
  }

  func state(_ name: String = "alice") async throws -> ConnectionState? { try await store.connection(Fleet.key(name))?.state }
}

extension LiveCredentials {
  fileprivate func answer(_ key: ConnectionKey) async -> Result<String, BrokerFailure> {
    do throws(BrokerFailure) {
      return .success(try await credential(for: key.provider, of: key.owner).fieldValue.exposedText)
    } catch {
      return .failure(error)
    }
  }
}

private struct RealClock: WallClock {
  var now: Timestamp { Timestamp(microseconds: Int64(currentMicroseconds())) }
}

private func currentMicroseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}

private struct RealSleeper: Sleeper {
  let loop: EventLoop
  func sleep(for duration: Duration) async { await loop.sleep(for: duration) }
}

private struct Silence: BrokerObserver {
  func observe(_ event: BrokerEvent, of connection: ConnectionKey) {}
}

@Suite("Refreshing on one PostgreSQL", .timeLimit(.minutes(1)))
struct RefreshBehaviourTests {
  @Test("200 parallel callers with an expired token: one refresh, and all get the new token", arguments: [1, 4])
  func oneRefresh(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict, pause: .milliseconds(200))
      try await fleet.connect()
      #expect(await fleet.ask(200) == [.success("Bearer access-alice/1-1"): 200])
      #expect(fleet.provider.callCount == 1)
    }
  }

  @Test("kill -9 before the provider was called: the next instance refreshes, whatever the rotation", arguments: [1, 4])
  func killedBefore(_ count: Int) async throws {
    try await withInstances(count) { instances in
      for rotation in ProviderAuthorization.Rotation.allCases {
        let fleet = Fleet(instances, rotation: rotation)
        let name = "alice-\(rotation)"
        try await fleet.connect(name)
        try await fleet.die(.beforeTheCall, name)
        let answers = await fleet.ask(40, of: name)
        #expect(answers.count == 1 && answers.keys.allSatisfy { (try? $0.get()) != nil }, "\(rotation): \(answers)")
        #expect(fleet.provider.callCount == 1)
        #expect(try await fleet.state(name) == .active)
      }
    }
  }

  @Test(
    "kill -9 after the provider answered and before commit: nothing is lost where a second use is allowed; where it is not, rotation_in_doubt after one more call, and no other",
    arguments: [1, 4])
  func killedBetween(_ count: Int) async throws {
    try await withInstances(count) { instances in
      for rotation in ProviderAuthorization.Rotation.allCases {
        let fleet = Fleet(instances, rotation: rotation)
        let name = "alice-\(rotation)"
        try await fleet.connect(name)
        try await fleet.die(.afterTheAnswer, name)
        let answers = await fleet.ask(40, of: name)
        if rotation == .none || rotation == .grace {
          #expect(answers.count == 1 && answers.keys.allSatisfy { (try? $0.get()) != nil }, "\(rotation): \(answers)")
        } else {
          #expect(answers == [.failure(.needsReauthentication(.rotationInDoubt)): 40], "\(rotation)")
          #expect(await fleet.ask(40, of: name) == answers)
        }
        #expect(fleet.provider.callCount == 2)
      }
    }
  }

  @Test("kill -9 after commit: the others use what is stored, without a call", arguments: [1, 4])
  func killedAfter(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      let victim = fleet.another()
      #expect(await victim.answer(Fleet.key()) == .success("Bearer access-alice/1-1"))
      await victim.shutdown()
      #expect(await fleet.ask(40) == [.success("Bearer access-alice/1-1"): 40])
      #expect(fleet.provider.callCount == 1)
    }
  }

  @Test("callers who go away end nothing: the refresh that they began serves those who come later", arguments: [1, 4])
  func disconnect(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict, pause: .milliseconds(200))
      try await fleet.connect()
      let caller = Task { await fleet.brokers[0].answer(Fleet.key()) }
      while fleet.provider.callCount == 0 { await instances[0].loops[0].sleep(for: .milliseconds(5)) }
      caller.cancel()
      #expect(await fleet.ask(40) == [.success("Bearer access-alice/1-1"): 40])
      #expect(fleet.provider.callCount == 1)
    }
  }

  @Test("an answer that is no token leaves the connection as it was, and the next call brings one", arguments: [
    ProviderResponse.json(200, "{}"), .json(408, ""), .json(425, ""), .json(429, ""), .json(500, ""), .json(200, "<html>"),
    .json(401, #"{"error":"invalid_client"}"#), .json(400, #"{"error":"invalid_scope"}"#),
  ])
  func transient(_ answer: ProviderResponse) async throws {
    try await withInstances(2) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      fleet.provider.script(answer)
      guard case .failure(let failure) = await fleet.brokers[0].answer(Fleet.key()) else {
        Issue.record("a token out of nothing")
        return
      }
      #expect(failure.retryAfter != nil)
      #expect(try await fleet.state() == .active)
      // Both hear the failure, or wait for the pause to end.
      var answers: Set<Result<String, BrokerFailure>> = []
      for _ in 0..<2000 where answers != [.success("Bearer access-alice/1-2")] {
        answers = Set(await fleet.ask(2).keys)
        await instances[0].loops[0].sleep(for: .milliseconds(10))
      }
      #expect(answers == [.success("Bearer access-alice/1-2")])
      #expect(fleet.provider.callCount == 2)
    }
  }

  @Test("PostgreSQL that hangs between answer and commit: the caller is served at once, and the token is stored when it goes on")
  func pausedDatabase() async throws {
    let directory = "/tmp/postern-paused-\(UInt32.random(in: 0...UInt32.max))"
    let postgres = try LocalPostgres.start(directory: directory, durable: false)
    defer {
      postgres.resume()
      postgres.remove()
    }
    try postgres.createDatabase("paused")
    let database = postgres.connectionString(database: "paused")
    try await migrate(database)
    try await withInstances(2, on: database) { instances in
      let fleet = Fleet(instances, rotation: .strict, lease: .milliseconds(500))
      try await fleet.connect()
      let first = fleet.another(over: Interposed(base: fleet.provider) { postgres.pause() })
      #expect(await first.answer(Fleet.key()) == .success("Bearer access-alice/1-1"))
      // Longer than the lease.
      await instances[0].loops[0].sleep(for: .milliseconds(800))
      postgres.resume()
      await first.shutdown()
      #expect(await fleet.ask(20) == [.success("Bearer access-alice/1-1"): 20])
      #expect(fleet.provider.callCount == 1)
    }
  }

  @Test("two answers for one generation: the one that lost is kept, and heals the connection when the other is refused")
  func lateAnswer() async throws {
    try await withInstances(1) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      guard case .taken(let late) = try await fleet.store.takeLease(on: Fleet.key(), generation: 1, for: .seconds(9)) else {
        Issue.record("no lease")
        return
      }
      _ = try await instances[0].sql("UPDATE connection_credential SET lease_until = now()")
      guard case .taken(let other) = try await fleet.store.takeLease(on: Fleet.key(), generation: 1, for: .seconds(9)) else {
        Issue.record("no second lease")
        return
      }
      // Another instance's answer that the provider does not know any more, and one that it knows but that came later.
      for (token, lease) in [("unknown/0", other), ("alice/0", late)] {
        let record = CredentialRecord(
          accessToken: Secret("dead"), refreshToken: Secret(token), obtainedAt: RealClock().now - .seconds(60),
          expiresAt: RealClock().now - .seconds(1), fingerprint: Fleet.provider(.strict).fingerprint)
        _ = try await fleet.store.commit(
          CredentialSealer(ring: Fleet.ring).seal(record, of: Fleet.key(), generation: 2), under: lease)
      }
      #expect(await fleet.ask(20) == [.success("Bearer access-alice/1-2"): 20])
      #expect(try await fleet.state() == .active)
    }
  }
}

extension Fleet {
  /// An instance takes the lease and is killed; on return its lease has run out.
  fileprivate func die(_ moment: DyingTransport.Moment, _ name: String) async throws {
    let victim = another(over: DyingTransport(base: provider, moment: moment))
    let caller = Task { await victim.answer(Fleet.key(name)) }
    let calls = moment == .afterTheAnswer ? 1 : 0
    let attempt = "SELECT FROM refresh_attempt WHERE connection = connection_id('box', $1)"
    while try await instances[0].sql(attempt, [.text(name)]).isEmpty || provider.callCount < calls {
      await instances[0].loops[0].sleep(for: .milliseconds(5))
    }
    // Time passes.
    _ = try await instances[0].sql("UPDATE connection_credential SET lease_until = now() WHERE lease_until > now()")
    caller.cancel()
  }
}

/// Does something when an answer is on its way.
private struct Interposed: ProviderTransport {
  let base: any ProviderTransport
  let action: @Sendable () -> Void

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let answer = try await base.send(request)
    action()
    return answer
  }
}

@Suite("Renewal though nobody asks", .timeLimit(.minutes(1)))
struct RenewalBehaviourTests {
  private func scheduler(_ broker: LiveCredentials, _ instance: Instance) -> RenewalScheduler {
    var limits = RenewalScheduler.Limits()
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
      let tasks = zip(fleet.brokers, instances).map { broker, instance in
        let scheduler = scheduler(broker, instance)
        return instance.loops[0].task { await scheduler.run() }
      }
      let renewed = "SELECT count(*) FROM connection_credential WHERE generation = 2"
      while try await instances[0].sql(renewed)[0].int64(0) < 60 { await instances[0].loops[0].sleep(for: .milliseconds(20)) }
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
      let scheduler = scheduler(fleet.brokers[0], instances[0])
      let task = instances[0].loops[0].task { await scheduler.run() }
      let settled = "SELECT FROM renewal WHERE due_at > now() + interval '50 minutes'"
      while try await instances[0].sql(settled).count < 3 { await instances[0].loops[0].sleep(for: .milliseconds(20)) }
      task.cancel()
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

  @Test(
    "a provider that refuses Postern itself is an incident: one call tells it, no connection dies, and other instances hear",
    .disabled("some runs on a busy machine never end: the renewal of a connection stays away, and why is not known"))
  func incident() async throws {
    try await withInstances(2) { instances in
      let fleet = Fleet(instances, rotation: .strict, concurrency: 1)
      for number in 0..<10 { try await fleet.connect("user-\(number)") }
      for _ in 0..<3 { fleet.provider.script(.json(401, #"{"error":"invalid_client"}"#)) }
      let tasks = zip(fleet.brokers, instances).map { broker, instance in
        let scheduler = scheduler(broker, instance)
        return instance.loops[0].task { await scheduler.run() }
      }
      var wasRecorded = false
      let renewed = "SELECT count(*) FROM connection_credential WHERE generation = 2"
      while try await instances[0].sql(renewed)[0].int64(0) < 10 {
        if try await instances[0].count("provider_incident") == 1 { wasRecorded = true }
        // Who was turned away is due again when the claim has ended.
        _ = try await instances[0].sql("UPDATE renewal SET due_at = now() WHERE connection IN (SELECT connection FROM connection_credential WHERE generation = 1)")
        await instances[0].loops[0].sleep(for: .milliseconds(10))
      }
      #expect(wasRecorded)
      #expect(fleet.provider.callCount == 13)
      while try await instances[0].count("provider_incident") > 0 { await instances[0].loops[0].sleep(for: .milliseconds(10)) }
      for task in tasks { task.cancel() }
      #expect(try await instances[0].sql("SELECT FROM connection WHERE state <> 'active'").isEmpty)
    }
  }
}

/// Brings a database of one's own to the schema.
private func migrate(_ database: String) async throws {
  let group = try EventLoopGroup(count: 1)
  group.start()
  defer { group.stop() }
  _ = try await Migrator.migrate(
    Migration.schema, on: group.loops[0], configuration: PostgresConfiguration(connectionString: database), logger: silent)
}
