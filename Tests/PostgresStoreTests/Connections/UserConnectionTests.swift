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
    let outcome = try await store.takeRefreshLease(on: Self.alice, generation: generation, for: .seconds(60))
    if case .taken(let lease) = outcome { return lease }
    return nil
  }

  @Test("what nobody has connected has no lease, no state and no place in a list")
  func unknown() async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      #expect(try await store.takeRefreshLease(on: Self.alice, generation: 0, for: .seconds(60)) == .moved)
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
      #expect(try await store.connection(Self.alice) == UserConnection(state: .active, credential: Self.credential(1)))
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

  @Test("an attempt without an outcome is seen by the next lease; commit and release are outcomes")
  func doubt() async throws {
    try await withConnection { (store, instance) async throws in
      _ = try await take(store, 1)
      _ = try await instance.sql("UPDATE connection_credential SET lease_until = now() - interval '1 second'")
      let second = try #require(try await take(store, 1))
      #expect(second.isInDoubt)
      try await store.release(second, pause: .zero)
      let third = try #require(try await take(store, 1))
      #expect(!third.isInDoubt)
      #expect(try await store.commit(Self.credential(2), under: third) == .stored)
      #expect(try await take(store, 2)?.isInDoubt == false)
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
      _ = try await instance.sql("UPDATE connection_credential SET lease_until = now() - interval '1 second'")
      let other = try #require(try await take(store, 1))
      try await store.requireReauthentication(.rotationInDoubt, under: other)
      #expect(try await store.commit(Self.credential(2), under: late) == .stored)
      #expect(try await store.connection(Self.alice) == UserConnection(state: .active, credential: Self.credential(2)))
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
      #expect(try await store.connection(Self.alice) == UserConnection(state: .revoked, credential: nil))
      #expect(try await store.credential(of: Self.alice) == nil)
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

@Suite("Flows to providers in PostgreSQL")
struct ConnectFlowStoreTests {
  private static let now = Timestamp(seconds: 1_800_000_000)
  private static let alice = Subject("alice")
  private static let session = Locator(high: 1, low: 1)
  private static let vault = ProviderID("cloudvault")

  private static func flow(_ state: String, expiresAt: Timestamp = now + .seconds(600)) -> ConnectFlow {
    ConnectFlow(
      stateDigest: SHA256.digest(state), provider: vault, subject: alice, session: session, sealedVerifier: [1, 2, 3],
      expiresAt: expiresAt)
  }

  private func take(
    _ store: PostgresConnectFlowStore, _ state: String, provider: ProviderID = vault, subject: Subject = alice,
    session: Locator = session, at now: Timestamp = now
  ) async throws -> [UInt8]? {
    try await store.take(SHA256.digest(state), provider: provider, subject: subject, session: session, at: now)
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
