import Cryptography
import OAuthCore

/// Takes over connections that another broker has kept. What is connected already stays as it is.
public struct ConnectionImport: Sendable {
  public struct Entry: Sendable {
    public let key: ConnectionKey
    public let scopes: [String]
    let record: CredentialRecord

    /// - Parameters:
    ///   - refreshToken: nil: its user has to connect again when the access token has ended.
    ///   - expiresAt: of the access token; in the past, it is refreshed before it is first sent.
    ///   - scopes: granted, in the provider's words; empty: not known.
    /// - Returns: nil: users cannot connect to the provider.
    public init?(
      to provider: Provider, of subject: Subject, accessToken: Secret, refreshToken: Secret?, expiresAt: Timestamp,
      scopes: [String], at now: Timestamp
    ) {
      guard provider.authorization != nil else { return nil }
      key = ConnectionKey(provider: provider.id, owner: .subject(subject))
      self.scopes = scopes
      record = CredentialRecord(
        accessToken: accessToken, refreshToken: refreshToken, obtainedAt: min(now, expiresAt - .seconds(1)),
        expiresAt: expiresAt, fingerprint: provider.fingerprint)
    }
  }

  private let connections: any UserConnectionStore
  private let sealer: CredentialSealer
  private let clock: any WallClock
  private let random: any RandomSource

  public init(connections: any UserConnectionStore, keyRing: KeyRing, clock: any WallClock, random: any RandomSource) {
    self.connections = connections
    sealer = CredentialSealer(ring: keyRing)
    self.clock = clock
    self.random = random
  }

  /// - Returns: whether it was taken; false when the subject has connected to the provider meanwhile or before.
  public func take(_ entry: Entry) async throws(StoreFailure) -> Bool {
    let generation = try await connections.prepare(entry.key)
    if let found = try await connections.connection(entry.key), found.state == .active { return false }
    var sealed = sealer.seal(entry.record, of: entry.key, generation: generation + 1, jitter: random.jitter())
    sealed.scopes = entry.scopes
    return try await connections.establish(sealed, of: entry.key, at: clock.now) == .stored
  }
}
