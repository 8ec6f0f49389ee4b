import Synchronization

/// What a derived key is for. Keys of different purposes tell nothing of each other.
///
/// The name is part of the derivation: renaming a purpose makes everything sealed or tagged under it unreadable.
public struct KeyPurpose: Sendable, Hashable, ExpressibleByStringLiteral {
  public let name: String

  public init(_ name: String) { self.name = name }
  public init(stringLiteral value: String) { name = value }
}

/// Why keys make no ring.
public enum KeyRingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The active id is not among the keys.
  case activeKeyMissing(id: String)
  case repeatedKey(id: String)
  /// An id has 1 to 32 characters of `A-Z a-z 0-9 - _ .`.
  case malformedKeyID
  /// A secret has exactly 32 bytes.
  case wrongSecretLength(id: String, byteCount: Int)

  public var description: String {
    switch self {
    case .activeKeyMissing(let id): "the active key '\(id)' is not among the keys"
    case .repeatedKey(let id): "the key '\(id)' is given twice"
    case .malformedKeyID: "a key id has 1 to 32 characters of A-Z, a-z, 0-9, '-', '_' and '.'"
    case .wrongSecretLength(let id, let count):
      "the key '\(id)' has \(count) bytes; it must have 32 (openssl rand -base64 32)"
    }
  }
}

/// The server's master keys: one is active, the others still open what they sealed.
///
/// No master key is used itself: each purpose has its own key, derived with HKDF once and kept.
public final class KeyRing: Sendable, Equatable {
  private struct Entry: Sendable, Equatable {
    let id: String
    let secret: Secret
  }

  /// Active first.
  private let entries: [Entry]
  /// Keys of a purpose in the order of `entries`.
  private let derived = Mutex<[KeyPurpose: [(id: String, key: Secret)]]>([:])

  /// - Parameters:
  ///   - active: the id of the key that seals and tags from now on.
  ///   - keys: ids unique, secrets of 32 random bytes.
  public init(active: String, keys: [(id: String, secret: Secret)]) throws(KeyRingError) {
    var entries: [Entry] = []
    for (id, secret) in keys {
      guard Self.isKeyID(id) else { throw .malformedKeyID }
      guard secret.count == 32 else { throw .wrongSecretLength(id: id, byteCount: secret.count) }
      guard !entries.contains(where: { $0.id == id }) else { throw .repeatedKey(id: id) }
      entries.insert(Entry(id: id, secret: secret), at: id == active ? 0 : entries.count)
    }
    guard entries.first?.id == active else { throw .activeKeyMissing(id: active) }
    self.entries = entries
  }

  /// Key ids, active first.
  public var ids: [String] { entries.map(\.id) }

  /// nil: the ring has no such key.
  public func key(id: String, purpose: KeyPurpose) -> Secret? {
    all(purpose: purpose).first { $0.id == id }?.key
  }

  public func active(purpose: KeyPurpose) -> (id: String, key: Secret) { all(purpose: purpose)[0] }

  /// Every key of a purpose, active first.
  public func all(purpose: KeyPurpose) -> [(id: String, key: Secret)] {
    derived.withLock { derived in
      if let keys = derived[purpose] { return keys }
      let keys = entries.map { entry in
        (id: entry.id, key: HKDF.derive(from: entry.secret, info: "postern/v1/\(purpose.name)", byteCount: 32))
      }
      derived[purpose] = keys
      return keys
    }
  }

  /// Seals under the active key: `id length (1) ‖ id ‖ nonce ‖ ciphertext ‖ tag`.
  ///
  /// - Parameter associatedData: names where the result will be kept, so that it opens nowhere else.
  public func seal(_ plaintext: [UInt8], purpose: KeyPurpose, associatedData: [UInt8]) -> [UInt8] {
    seal(plaintext, under: ids[0], purpose: purpose, associatedData: associatedData)
  }

  /// Seals under a key that need not be the active one.
  ///
  /// - Parameter id: of a key of the ring.
  public func seal(_ plaintext: [UInt8], under id: String, purpose: KeyPurpose, associatedData: [UInt8]) -> [UInt8] {
    guard let key = key(id: id, purpose: purpose) else { preconditionFailure("a ring seals under keys that it has") }
    let header = [UInt8(id.utf8.count)] + Array(id.utf8)
    return AEAD.seal(
      plaintext, key: key, associatedData: associatedData, after: header,
      nonce: SystemRandom().bytes(AEAD.nonceByteCount))
  }

  /// Opens what any key of the ring sealed.
  ///
  /// - Returns: nil for a key that the ring does not have, another purpose, other associated data or changed bytes.
  public func open(_ sealed: [UInt8], purpose: KeyPurpose, associatedData: [UInt8]) -> [UInt8]? {
    guard let id = Self.keyID(of: sealed), let key = key(id: id, purpose: purpose) else { return nil }
    return AEAD.open(sealed[(id.utf8.count + 1)...], key: key, associatedData: associatedData)
  }

  /// The id of the key that `sealed` names, for finding what has to be sealed anew; nothing is verified.
  public static func keyID(of sealed: [UInt8]) -> String? {
    guard let idCount = sealed.first.map(Int.init), idCount > 0, sealed.count > idCount else { return nil }
    return String(validating: sealed[1...idCount], as: UTF8.self)
  }

  /// Whether both seal and open alike: the same keys in the same order.
  public static func == (left: KeyRing, right: KeyRing) -> Bool { left.entries == right.entries }

  private static func isKeyID(_ id: String) -> Bool {
    (1...32).contains(id.utf8.count)
      && id.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
      }
  }
}
