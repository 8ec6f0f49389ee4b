import Testing

@testable import Cryptography

@Suite("Key ring")
struct KeyRingTests {
  static func secret(_ byte: UInt8) -> Secret { Secret(bytes: [UInt8](repeating: byte, count: 32)) }

  let ring: KeyRing
  let purpose: KeyPurpose = "handle-tag"

  init() throws {
    ring = try KeyRing(active: "b", keys: [("a", Self.secret(1)), ("b", Self.secret(2)), ("c", Self.secret(3))])
  }

  @Test("Two rings are equal when they seal and open alike: the same keys, the same one active, the same order")
  func equality() throws {
    func ring(_ active: String, _ keys: (String, UInt8)...) throws -> KeyRing {
      try KeyRing(active: active, keys: keys.map { ($0.0, Self.secret($0.1)) })
    }
    #expect(try ring("b", ("a", 1), ("b", 2), ("c", 3)) == self.ring)
    #expect(try ring("a", ("a", 1), ("b", 2), ("c", 3)) != self.ring)
    #expect(try ring("b", ("a", 1), ("b", 2)) != self.ring)
    #expect(try ring("b", ("a", 1), ("b", 2), ("d", 3)) != self.ring)
    #expect(try ring("b", ("a", 1), ("b", 4), ("c", 3)) != self.ring)
  }

  @Test("A ring without its active key, with repeated ids or with short secrets is refused")
  func refusals() {
    #expect(throws: KeyRingError.activeKeyMissing(id: "x")) { try KeyRing(active: "x", keys: [("a", Self.secret(1))]) }
    #expect(throws: KeyRingError.activeKeyMissing(id: "x")) { try KeyRing(active: "x", keys: []) }
    #expect(throws: KeyRingError.repeatedKey(id: "a")) {
      try KeyRing(active: "a", keys: [("a", Self.secret(1)), ("a", Self.secret(2))])
    }
    #expect(throws: KeyRingError.wrongSecretLength(id: "a", byteCount: 16)) {
      try KeyRing(active: "a", keys: [("a", Secret(bytes: [UInt8](repeating: 1, count: 16)))])
    }
    for id in ["", "a b", "ключ", String(repeating: "a", count: 33)] {
      #expect(throws: KeyRingError.malformedKeyID) { try KeyRing(active: id, keys: [(id, Self.secret(1))]) }
    }
  }

  @Test("The active key comes first and every key is found by its id")
  func order() {
    #expect(ring.ids == ["b", "a", "c"])
    #expect(ring.active(purpose: purpose).id == "b")
    #expect(ring.all(purpose: purpose).map(\.id) == ["b", "a", "c"])
    #expect(ring.key(id: "b", purpose: purpose) == ring.active(purpose: purpose).key)
    #expect(ring.key(id: "x", purpose: purpose) == nil)
  }

  @Test("RFC 5869 §3.2: each purpose and each key id has a key of its own, and none is the master key")
  func separation() {
    let keys = [purpose, "refresh"].flatMap { purpose in ring.all(purpose: purpose).map(\.key.exposedBytes) }
    #expect(Set(keys).count == 6)
    for byte in UInt8(1)...3 { #expect(!keys.contains(Self.secret(byte).exposedBytes)) }
  }

  @Test("A ring that rotated still opens what it sealed before; a ring without the key does not")
  func rotation() throws {
    let sealed = ring.seal(ascii("token"), purpose: purpose, associatedData: ascii("row"))
    #expect(KeyRing.keyID(of: sealed) == "b")
    let rotated = try KeyRing(active: "d", keys: [("d", Self.secret(4)), ("b", Self.secret(2))])
    #expect(rotated.open(sealed, purpose: purpose, associatedData: ascii("row")) == ascii("token"))
    let stranger = try KeyRing(active: "d", keys: [("d", Self.secret(4))])
    #expect(stranger.open(sealed, purpose: purpose, associatedData: ascii("row")) == nil)
    let impostor = try KeyRing(active: "b", keys: [("b", Self.secret(9))])
    #expect(impostor.open(sealed, purpose: purpose, associatedData: ascii("row")) == nil)
  }

  @Test("Another purpose, other associated data, another key id or a cut message opens nothing")
  func wrongContext() {
    let sealed = ring.seal(ascii("token"), purpose: purpose, associatedData: ascii("row"))
    #expect(ring.open(sealed, purpose: "other", associatedData: ascii("row")) == nil)
    #expect(ring.open(sealed, purpose: purpose, associatedData: ascii("raw")) == nil)
    var renamed = sealed
    renamed[1] = UInt8(ascii: "a")
    #expect(ring.open(renamed, purpose: purpose, associatedData: ascii("row")) == nil)
    for count in 0..<sealed.count {
      #expect(ring.open(Array(sealed.prefix(count)), purpose: purpose, associatedData: ascii("row")) == nil)
    }
    for first in UInt8.min...UInt8.max where first != 1 {
      #expect(ring.open([first] + sealed.dropFirst(), purpose: purpose, associatedData: ascii("row")) == nil)
    }
  }
}
