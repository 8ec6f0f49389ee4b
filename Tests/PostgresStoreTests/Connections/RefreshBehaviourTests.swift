import Cryptography
import EventLoop
import LocalPostgres
import OAuthCore
import PostgresClient
import PostgresStore
import Testing

@testable import Broker

@Suite("Refreshing on one PostgreSQL", .timeLimit(.minutes(5)))
struct RefreshBehaviourTests {
  /// For every kind of rotation: one instance is killed while it holds the lease, and forty callers ask the others.
  private func afterDeath(
    _ moment: DyingTransport.Moment, of count: Int,
    _ body: @escaping @Sendable (_ fleet: Fleet, _ name: String, _ answers: [Result<String, BrokerFailure>: Int]) async throws -> Void
  ) async throws {
    try await withInstances(count) { instances in
      for rotation in ProviderAuthorization.Rotation.allCases {
        let fleet = Fleet(instances, rotation: rotation)
        let name = "alice-\(rotation)"
        try await fleet.connect(name)
        try await fleet.die(moment, name)
        try await body(fleet, name, await fleet.ask(40, of: name))
      }
    }
  }

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
    try await afterDeath(.beforeTheCall, of: count) { fleet, name, answers in
      #expect(answers.count == 1 && answers.keys.allSatisfy { (try? $0.get()) != nil }, "\(fleet.rotation): \(answers)")
      #expect(fleet.provider.callCount == 1)
      let state = try await fleet.state(name)
      #expect(state == .active)
    }
  }

  @Test(
    "kill -9 after the provider answered and before commit: nothing is lost where a second use is allowed; where it is not, rotation_in_doubt after one more call, and no other",
    arguments: [1, 4])
  func killedBetween(_ count: Int) async throws {
    try await afterDeath(.afterTheAnswer, of: count) { fleet, name, answers in
      if fleet.rotation == .none || fleet.rotation == .grace {
        #expect(answers.count == 1 && answers.keys.allSatisfy { (try? $0.get()) != nil }, "\(fleet.rotation): \(answers)")
      } else {
        #expect(answers == [.failure(.needsReauthentication(.rotationInDoubt)): 40], "\(fleet.rotation)")
        #expect(await fleet.ask(40, of: name) == answers)
      }
      #expect(fleet.provider.callCount == 2)
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

/// Brings a database of one's own to the schema.
private func migrate(_ database: String) async throws {
  let group = try EventLoopGroup(count: 1)
  group.start()
  defer { group.stop() }
  _ = try await Migrator.migrate(
    Migration.schema, on: group.loops[0], configuration: PostgresConfiguration(connectionString: database), logger: silent)
}
