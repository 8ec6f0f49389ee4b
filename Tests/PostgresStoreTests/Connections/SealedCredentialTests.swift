import Cryptography
import OAuthCore
import PostgresStore
import Synchronization
import Testing

@testable import Broker

@Suite("Keys and what is sealed under them, in PostgreSQL", .timeLimit(.minutes(5)))
struct SealedCredentialTests {
  private static let secrets = ["k1": Secret(bytes: Array(0..<32)), "k2": Secret(bytes: Array(32..<64))]

  private static func ring(_ ids: String...) -> KeyRing {
    try! KeyRing(active: ids[0], keys: ids.map { ($0, secrets[$0]!) })
  }

  private static func key(_ number: Int) -> ConnectionKey {
    ConnectionKey(provider: ProviderID("box"), owner: .subject(Subject("user-\(number)")))
  }

  private static func record(_ number: Int) -> CredentialRecord {
    let now = Timestamp(seconds: 1_800_000_000)
    return CredentialRecord(
      accessToken: Secret("access-\(number)"), refreshToken: Secret("refresh-\(number)"), obtainedAt: now,
      expiresAt: now + .seconds(3600), fingerprint: "f")
  }

  /// Stores connections that are sealed under the ring's active key.
  private static func fill(_ count: Int, under ring: KeyRing, _ store: PostgresConnectionStore) async throws {
    for number in 0..<count {
      _ = try await store.prepare(key(number))
      let sealed = CredentialSealer(ring: ring).seal(record(number), of: key(number), generation: 1)
      _ = try await store.establish(sealed, of: key(number), at: Timestamp(seconds: 1_800_000_000))
    }
  }

  private static func opens(_ number: Int, _ ring: KeyRing, _ store: PostgresConnectionStore) async throws -> Bool {
    guard let stored = try await store.connection(key(number))?.credential else { return false }
    return CredentialSealer(ring: ring).open(stored, of: key(number)) == record(number)
  }

  @Test("DESIGN §5: rewrapping under load fails no read and loses no commit; the old key is needed no more afterwards")
  func underLoad() async throws {
    try await withInstances(2) { instances in
      let (first, second) = (
        PostgresConnectionStore(pools: instances[0].pools, logger: silent),
        PostgresConnectionStore(pools: instances[1].pools, logger: silent)
      )
      try await Self.fill(60, under: Self.ring("k1", "k2"), first)
      let isDone = Atomic(false)
      let sealed = SealedCredentials(
        store: PostgresSealedCredentialStore(pools: instances[0].pools, logger: silent), keyRing: Self.ring("k2", "k1"))
      // One instance seals under the new key already, the other still under the old one.
      let work = instances[1].loops[0].task { () -> (reads: Int, failures: Int) in
        var (reads, failures) = (0, 0)
        while !isDone.load(ordering: .sequentiallyConsistent) || reads < 60 {
          let (number, ring) = (reads % 60, Self.ring("k1", "k2"))
          if (try? await Self.opens(number, ring, second)) != true { failures += 1 }
          if reads % 3 == 0, let stored = try? await second.connection(Self.key(number))?.credential,
            case .taken(let lease)? = try? await second.takeLease(on: Self.key(number), generation: stored.generation, for: .seconds(9))
          {
            let next = CredentialSealer(ring: ring).seal(Self.record(number), of: Self.key(number), generation: lease.generation + 1)
            if (try? await second.commit(next, under: lease)) != .stored { failures += 1 }
          }
          reads += 1
        }
        return (reads, failures)
      }
      var pages = 0
      _ = try await sealed.rewrap(pageCount: 7) { _ in pages += 1 }
      isDone.store(true, ordering: .sequentiallyConsistent)
      let load = await work.value
      #expect(load.failures == 0 && load.reads >= 60)
      #expect(pages == 9)
      // What was sealed under the old key meanwhile is found by another run.
      let last = try await sealed.rewrap { _ in }
      #expect(last.connections == 60 && last.missed == 0 && last.unreadable == 0)
      #expect(try await sealed.rewrap { _ in }.resealed == 0)
      for number in 0..<60 { #expect(try await Self.opens(number, Self.ring("k2"), first)) }
      for key in try await first.keptCredentials(of: Self.key(0)) { #expect(KeyRing.keyID(of: key.credential.sealed) == "k2") }
    }
  }

  @Test("a run that ends early is gone on with; what no key opens is counted and left")
  func resumes() async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      try await Self.fill(10, under: Self.ring("k1"), store)
      let sealedStore = PostgresSealedCredentialStore(pools: instance.pools, logger: silent)
      let sealed = SealedCredentials(store: sealedStore, keyRing: Self.ring("k2", "k1"))
      _ = try await instance.sql(
        "UPDATE connection_credential SET sealed = sealed || '\\x00' WHERE connection = connection_id('box', 'user-3')")
      let page = try await sealedStore.page(after: nil, count: 4, sealedUnderOthersThan: "k2")
      #expect(page.connectionCount == 4 && page.rows.count == 4)
      let whole = try await sealed.rewrap(pageCount: 4) { _ in }
      #expect(whole.connections == 10 && whole.resealed == 9 && whole.unreadable == 1)
      let again = try await sealed.rewrap { _ in }
      #expect(again.resealed == 0 && again.unreadable == 1)
    }
  }

  @Test("DESIGN §5: a row that was moved onto another opens under no key")
  func moved() async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      try await Self.fill(2, under: Self.ring("k1"), store)
      _ = try await instance.sql(
        """
        UPDATE connection_credential SET sealed = other.sealed FROM connection_credential AS other
        WHERE connection_credential.connection = connection_id('box', 'user-0') AND other.connection = connection_id('box', 'user-1')
        """)
      #expect(try await !Self.opens(0, Self.ring("k1"), store))
      #expect(try await Self.opens(1, Self.ring("k1"), store))
      let sealed = SealedCredentials(
        store: PostgresSealedCredentialStore(pools: instance.pools, logger: silent), keyRing: Self.ring("k2", "k1"))
      #expect(try await sealed.rewrap { _ in }.unreadable == 1)
      // One damaged row does not keep a server from starting.
      try await sealed.requireReadable()
    }
  }

  @Test("a ring that lacks a key, or has another secret under its name, is refused by name")
  func unreadable() async throws {
    try await withInstance { instance in
      let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
      let sealedStore = PostgresSealedCredentialStore(pools: instance.pools, logger: silent)
      func failure(_ ring: KeyRing) async -> SealedCredentials.Failure? {
        do throws(SealedCredentials.Failure) {
          try await SealedCredentials(store: sealedStore, keyRing: ring).requireReadable()
          return nil
        } catch {
          return error
        }
      }
      #expect(await failure(Self.ring("k2")) == nil)
      try await Self.fill(3, under: Self.ring("k1"), store)
      #expect(await failure(Self.ring("k1")) == nil)
      #expect(await failure(Self.ring("k2")) == .missingKey(id: "k1"))
      let wrong = try KeyRing(active: "k1", keys: [("k1", Self.secrets["k2"]!)])
      #expect(await failure(wrong) == .wrongSecret(id: "k1"))
      // A key that is lost for good.
      try await sealedStore.forgetCheck(of: "k1")
      #expect(await failure(Self.ring("k2")) == nil)
    }
  }

  @Test("signing keys are resealed, too, and are the same keys afterwards")
  func signingKeys() async throws {
    try await withInstance { instance in
      let store = PostgresSigningKeyStore(pools: instance.pools, logger: silent)
      let now = Timestamp(seconds: 1_800_000_000)
      let before = try await SigningKeys.load(from: store, ring: Self.ring("k1"), at: now)
      #expect(try await SigningKeys.reseal(in: store, ring: Self.ring("k2", "k1")) == 1)
      #expect(try await SigningKeys.reseal(in: store, ring: Self.ring("k2", "k1")) == 0)
      let after = try await SigningKeys.load(from: store, ring: Self.ring("k2"), at: now)
      #expect(after.published == before.published)
      await #expect(throws: SigningKeys.Failure.self) { try await SigningKeys.reseal(in: store, ring: Self.ring("k1")) }
    }
  }
}
