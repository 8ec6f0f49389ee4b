import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@Suite struct SigningKeysTests {
  private let now = Timestamp(seconds: 1_750_000_000)

  private func ring(_ id: String) throws -> KeyRing {
    try KeyRing(active: id, keys: [(id, Secret(bytes: SHA256.digest(id).bytes))])
  }

  @Test("Two instances that start together end up with the same single key")
  func establishedOnce() async throws {
    let store = InMemorySigningKeyStore()
    let ring = try ring("k1")
    let ids = try await withThrowingTaskGroup(of: [String?].self) { group in
      for _ in 0..<8 {
        group.addTask { try await SigningKeys.load(from: store, ring: ring, at: now).published.keys.map(\.id) }
      }
      return try await group.reduce(into: Set<[String?]>()) { $0.insert($1) }
    }
    #expect(ids.count == 1)
    #expect(ids.first?.count == 1)
  }

  @Test("The stored key is sealed: no private number stands in it")
  func sealed() async throws {
    let store = InMemorySigningKeyStore()
    _ = try await SigningKeys.load(from: store, ring: try ring("k1"), at: now)
    let record = try #require(try await store.signingKeys().first)
    #expect(!String(decoding: record.sealedPrivateKey, as: UTF8.self).contains("\"d\""))
  }

  @Test("A key sealed under a ring key that is gone stops the start with a sentence")
  func foreignRing() async throws {
    let store = InMemorySigningKeyStore()
    let id = try #require(
      try await SigningKeys.load(from: store, ring: try ring("k1"), at: now).published.keys.first?.id)
    await #expect(throws: SigningKeys.Failure.cannotOpen(keyID: id)) {
      try await SigningKeys.load(from: store, ring: try ring("k2"), at: now)
    }
  }

  @Test("A stored key cannot take the place of another")
  func swapped() async throws {
    let store = InMemorySigningKeyStore()
    let ring = try ring("k1")
    _ = try await SigningKeys.load(from: store, ring: ring, at: now)
    var record = try #require(try await store.signingKeys().first)
    record.keyID = "other"
    let forged = InMemorySigningKeyStore()
    _ = try await forged.establish(record)
    await #expect(throws: SigningKeys.Failure.cannotOpen(keyID: "other")) {
      try await SigningKeys.load(from: forged, ring: ring, at: now)
    }
  }

  @Test("Reloading takes over what the store has, and keeps the old keys when it has nothing")
  func reload() async throws {
    let (first, second) = (InMemorySigningKeyStore(), InMemorySigningKeyStore())
    let ring = try ring("k1")
    let keys = try await SigningKeys.load(from: first, ring: ring, at: now)
    let other = try await SigningKeys.load(from: second, ring: ring, at: now)
    try await keys.reload(from: InMemorySigningKeyStore(), ring: ring)
    #expect(keys.published != other.published)
    try await keys.reload(from: second, ring: ring)
    #expect(keys.published == other.published)
    #expect(keys.algorithms == [.es256])
  }
}
