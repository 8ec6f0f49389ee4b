import Cryptography
import JSON

/// Seals records for one row: connection and generation are the associated data, so what is read from another row, or
/// put back from an older generation, does not open.
struct CredentialSealer: Sendable {
  static let purpose: KeyPurpose = "connection"

  let ring: KeyRing

  /// - Parameter jitter: uniform in 0..<1; spreads the moments at which connections are renewed though nobody asks.
  func seal(
    _ record: CredentialRecord, of connection: ConnectionKey, generation: Int64, jitter: Double = 0
  ) -> StoredCredential {
    let sealed = ring.seal(
      record.bytes, purpose: Self.purpose,
      associatedData: Self.associatedData(connection, generation: generation))
    return StoredCredential(
      generation: generation, sealed: sealed, expiresAt: record.expiresAt,
      renewAt: record.refreshToken.map { _ in record.renewAt(jitter: jitter) })
  }

  /// nil: sealed under a key that the ring no longer has, for another row, or changed.
  func open(_ stored: StoredCredential, of connection: ConnectionKey) -> CredentialRecord? {
    let data = Self.associatedData(connection, generation: stored.generation)
    return ring.open(stored.sealed, purpose: Self.purpose, associatedData: data).flatMap(CredentialRecord.init(parsing:))
  }

  /// The same under the ring's active key; nil: it does not open.
  func reseal(_ stored: StoredCredential, of connection: ConnectionKey) -> [UInt8]? {
    let data = Self.associatedData(connection, generation: stored.generation)
    return ring.open(stored.sealed, purpose: Self.purpose, associatedData: data).map {
      ring.seal($0, purpose: Self.purpose, associatedData: data)
    }
  }

  private static func associatedData(_ connection: ConnectionKey, generation: Int64) -> [UInt8] {
    let owner: JSON =
      switch connection.owner {
      case .service: .null
      case .subject(let subject), .exchanged(let subject): .string(subject.rawValue)
      }
    return JSON.array([.string(connection.provider.rawValue), owner, .integer(generation)]).bytes
  }
}
