import Broker
import Cryptography
import OAuthCore
import PostgresStore
import Testing

@Suite("Connections of users in PostgreSQL")
struct UserConnectionTests {
  private static let alice = ConnectionKey(provider: ProviderID("cloudvault"), owner: .subject(Subject("alice smith")))
  private static let now = Timestamp(seconds: 1_800_000_000)

  private static func credential(_ generation: Int64) -> StoredCredential {
    StoredCredential(generation: generation, sealed: [UInt8(generation)], expiresAt: now)
  }

  /// A store with an active connection of generation 1.
  private func withConnection(_ body: @escaping @Sendable (PostgresConnectionStore, Instance) async throws -> Void) async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      #expect(try await store.prepare(Self.alice) == 0)
      #expect(try await store.establish(Self.credential(1), of: Self.alice, at: Self.now) == .stored)
      try await body(store, instance)
    }
  }

  private func take(_ store: PostgresConnectionStore, _ generation: Int64) async throws -> ConnectionLease? {
    let outcome = try await store.takeLease(on: Self.alice, generation: generation, for: .seconds(60))
    if case .taken(let lease) = outcome { return lease }
    return nil
  }

  @Test("what nobody has connected has no lease, no state and no place in a list")
  func unknown() async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      #expect(try await store.takeLease(on: Self.alice, generation: 0, for: .seconds(60)) == .moved)
      #expect(try await store.connection(Self.alice) == nil)
      _ = try await store.prepare(Self.alice)
      #expect(try await store.connection(Self.alice) == nil)
      #expect(try await store.connections(of: Subject("alice smith")).isEmpty)
    }
  }

  @Test("a generation is established once; who comes later prepares again")
  func compareAndSet() async throws {
    try await withConnection { (store, _) async throws in
      #expect(try await store.establish(Self.credential(1), of: Self.alice, at: Self.now) == .superseded)
      #expect(try await store.establish(Self.credential(3), of: Self.alice, at: Self.now) == .superseded)
      #expect(try await store.prepare(Self.alice) == 1)
      #expect(try await store.connection(Self.alice) == StoredConnection(state: .active, credential: Self.credential(1)))
      #expect(
        try await store.connections(of: Subject("alice smith"))
          == [ConnectionSummary(provider: ProviderID("cloudvault"), state: .active, connectedAt: Self.now)])
    }
  }

  @Test("a lease is one instance's, and fenced off by what the user connects meanwhile")
  func lease() async throws {
    try await withConnection { (store, _) async throws in
      let lease = try #require(try await take(store, 1))
      #expect(!lease.isInDoubt)
      #expect(try await take(store, 1) == nil)
      #expect(try await store.establish(Self.credential(2), of: Self.alice, at: Self.now) == .stored)
      #expect(try await store.commit(Self.credential(2), under: lease) == .superseded)
      try await store.requireReauthentication(.refreshTokenRefused, under: lease)
      #expect(try await store.connection(Self.alice)?.state == .active)
    }
  }

  @Test("DESIGN §5: an attempt is on record before the provider is called; without an outcome, or with an unknown one, it leaves the generation in doubt until it is replaced", arguments: [RefreshAttemptOutcome?.none, .unknown])
  func doubt(_ outcome: RefreshAttemptOutcome?) async throws {
    try await withConnection { (store, instance) async throws in
      let first = try #require(try await take(store, 1))
      #expect(!first.isInDoubt)
      #expect(try await instance.attempts() == ["1: nil"])
      if let outcome { try await store.release(first, as: outcome, pause: .zero) }
      try await instance.endLeases()
      let second = try #require(try await take(store, 1))
      #expect(second.isInDoubt)
      // The provider says for certain that this one brought nothing: that tells nothing of the first.
      try await store.release(second, as: .failed, pause: .zero)
      let third = try #require(try await take(store, 1))
      #expect(third.isInDoubt)
      #expect(try await store.commit(Self.credential(2), under: third) == .stored)
      let fourth = try #require(try await take(store, 2))
      #expect(!fourth.isInDoubt)
      try await store.release(fourth, as: .failed, pause: .zero)
      #expect(try await take(store, 2)?.isInDoubt == false)
      #expect(
        try await instance.attempts()
          == ["1: \(outcome?.rawValue ?? "nil")", "1: failed", "1: stored", "2: failed", "2: nil"])
    }
  }

  @Test("of the attempts on a connection the last sixteen are on record")
  func attemptsAreBounded() async throws {
    try await withConnection { (store, instance) async throws in
      for _ in 0..<20 { try await store.release(try #require(try await take(store, 1)), as: .failed, pause: .zero) }
      #expect(try await instance.attempts().count == 16)
    }
  }

  @Test("what a commit replaces is kept, two generations of it; connecting again and disconnecting forget all of it")
  func history() async throws {
    try await withConnection { (store, instance) async throws in
      for generation in Int64(1)...4 {
        let lease = try #require(try await take(store, generation))
        #expect(try await store.commit(Self.credential(generation + 1), under: lease) == .stored)
      }
      let kept = try await store.keptCredentials(of: Self.alice)
      #expect(kept == [4, 3].map { KeptCredential(credential: Self.credential($0), wasPresented: true) })
      #expect(try await store.establish(Self.credential(6), of: Self.alice, at: Self.now) == .stored)
      #expect(try await store.keptCredentials(of: Self.alice).isEmpty)
      _ = try await store.commit(Self.credential(7), under: try #require(try await take(store, 6)))
      #expect(try await store.keptCredentials(of: Self.alice).count == 1)
      try await store.revoke(Self.alice)
      #expect(try await instance.count("credential_history") == 0)
    }
  }

  @Test("DESIGN §5: of two answers for one generation the first is current and the second is kept, until the user ends it")
  func tooLate() async throws {
    try await withConnection { (store, instance) async throws in
      let late = try #require(try await take(store, 1))
      try await instance.endLeases()
      let other = try #require(try await take(store, 1))
      #expect(try await store.commit(Self.credential(2), under: other) == .stored)
      let answer = StoredCredential(generation: 2, sealed: [22], expiresAt: Self.now)
      for _ in 0..<2 { #expect(try await store.commit(answer, under: late) == .superseded) }
      // A repeated commit of what is current keeps nothing.
      #expect(try await store.commit(Self.credential(2), under: other) == .superseded)
      #expect(
        try await store.keptCredentials(of: Self.alice) == [
          KeptCredential(credential: answer, wasPresented: false),
          KeptCredential(credential: Self.credential(1), wasPresented: true),
        ])
      #expect(try await instance.attempts() == ["1: superseded", "1: stored"])
      try await store.revoke(Self.alice)
      #expect(try await store.commit(answer, under: late) == .superseded)
      #expect(try await store.keptCredentials(of: Self.alice).isEmpty)
    }
  }

  @Test("needs_reauth keeps its reason and gives no lease; connecting again ends it")
  func reauthentication() async throws {
    try await withConnection { (store, _) async throws in
      let lease = try #require(try await take(store, 1))
      try await store.requireReauthentication(.rotationInDoubt, under: lease)
      #expect(try await store.connection(Self.alice)?.state == .needsReauthentication(.rotationInDoubt))
      #expect(try await take(store, 1) == nil)
      #expect(try await store.establish(Self.credential(2), of: Self.alice, at: Self.now) == .stored)
      #expect(try await store.connection(Self.alice)?.state == .active)
    }
  }

  @Test("DESIGN §5: a rotated token is stored though its lease has passed to another, which then stores nothing")
  func lateCommit() async throws {
    try await withConnection { (store, instance) async throws in
      let late = try #require(try await take(store, 1))
      try await instance.endLeases()
      let other = try #require(try await take(store, 1))
      try await store.requireReauthentication(.rotationInDoubt, under: other)
      #expect(try await store.commit(Self.credential(2), under: late) == .stored)
      #expect(try await store.connection(Self.alice) == StoredConnection(state: .active, credential: Self.credential(2)))
      #expect(try await store.commit(Self.credential(2), under: other) == .superseded)
      try await store.requireReauthentication(.rotationInDoubt, under: other)
      #expect(try await store.connection(Self.alice)?.state == .active)
    }
  }

  @Test("a revoked connection keeps no credential, is in no list, and fences a refresh that is under way")
  func revoked() async throws {
    try await withConnection { (store, _) async throws in
      let lease = try #require(try await take(store, 1))
      try await store.revoke(Self.alice)
      #expect(try await store.commit(Self.credential(2), under: lease) == .superseded)
      #expect(try await store.connection(Self.alice) == StoredConnection(state: .revoked, credential: nil))
      #expect(try await store.connections(of: Subject("alice smith")).isEmpty)
      #expect(try await store.prepare(Self.alice) == 2)
    }
  }

  @Test("every change is told with provider and subject, even one with a space")
  func told() async throws {
    try await withConnection { (store, instance) async throws in
      let lease = try #require(try await take(store, 1))
      _ = try await store.commit(Self.credential(2), under: lease)
      try await store.revoke(Self.alice)
      let rows = try await instance.sql("SELECT kind, key FROM change_log ORDER BY number")
      let told = try rows.map { "\(try $0.text(0)): \(try $0.text(1))" }
      #expect(told == [String](repeating: "connection_changed: cloudvault alice smith", count: 3))
    }
  }
}

extension Instance {
  fileprivate func endLeases() async throws {
    _ = try await sql("UPDATE connection_credential SET lease_until = now() - interval '1 second'")
  }

  /// `generation: outcome`, in the order in which they began.
  fileprivate func attempts() async throws -> [String] {
    try await sql("SELECT generation, outcome FROM refresh_attempt ORDER BY lease_epoch").map { row in
      "\(try row.int64(0)): \(try row.optionalText(1) ?? "nil")"
    }
  }
}

@Suite("Flows to providers in PostgreSQL")
struct ConnectFlowStoreTests {
  private static let now = Timestamp(seconds: 1_800_000_000)
  private static let alice = Subject("alice")
  private static let session = Locator(high: 1, low: 1)
  private static let vault = ProviderID("cloudvault")

  private static func flow(_ state: String, expiresAt: Timestamp = now + .seconds(600)) -> ConnectFlow {
    ConnectFlow(
      stateDigest: SHA256.digest(state), provider: vault, subject: alice, session: session, sealedSecrets: [1, 2, 3],
      expiresAt: expiresAt)
  }

  private func take(
    _ store: PostgresConnectFlowStore, _ state: String, provider: ProviderID = vault, subject: Subject = alice,
    session: Locator = session, at now: Timestamp = now
  ) async throws -> [UInt8]? {
    try await store.take(SHA256.digest(state), provider: provider, subject: subject, session: session, at: now)?.sealedSecrets
  }

  @Test("of ten takers at once on two instances, one gets the flow")
  func once() async throws {
    try await withTwoInstances { first, second in
      try await PostgresConnectFlowStore(pools: first.pools, logger: silent).begin(Self.flow("s"), at: Self.now)
      let taken = try await inParallel(10, first, second) { instance, _ in
        try await self.take(PostgresConnectFlowStore(pools: instance.pools, logger: silent), "s")
      }
      #expect(taken.compactMap { $0 } == [[1, 2, 3]])
    }
  }

  @Test("another provider, user, session, state or time finds nothing, and consumes nothing")
  func foreign() async throws {
    try await withInstance { instance in
      let store = PostgresConnectFlowStore(pools: instance.pools, logger: silent)
      try await store.begin(Self.flow("s"), at: Self.now)
      #expect(try await take(store, "t") == nil)
      #expect(try await take(store, "s", provider: ProviderID("other")) == nil)
      #expect(try await take(store, "s", subject: Subject("bob")) == nil)
      #expect(try await take(store, "s", session: Locator(high: 1, low: 2)) == nil)
      #expect(try await take(store, "s", at: Self.now + .seconds(600)) == nil)
      #expect(try await take(store, "s") == [1, 2, 3])
    }
  }

  @Test("flows that nobody came back for go when others begin, and one user has sixteen at most")
  func bounded() async throws {
    try await withInstance { instance in
      let store = PostgresConnectFlowStore(pools: instance.pools, logger: silent)
      try await store.begin(Self.flow("old", expiresAt: Self.now + .seconds(1)), at: Self.now)
      for number in 0..<20 {
        try await store.begin(Self.flow("s\(number)", expiresAt: Self.now + .seconds(600 + Int64(number))), at: Self.now + .seconds(2))
      }
      #expect(try await instance.count("connect_flow") == 16)
      #expect(try await take(store, "s19") == [1, 2, 3])
      #expect(try await take(store, "s0") == nil)
    }
  }
}
