import OAuthCore

/// What is known about clients for the moment: bounded, forgetful, without I/O.
///
/// Unknown ids are kept apart and briefly, so that a flood of invented ones can push out only each other.
struct ClientCache {
  /// The change log purges at once. While it cannot be heard nothing is believed for longer than the gateway believes its
  /// own answers: no longer than a revocation may go unheard. Always the same, so that nobody has to ask whether the log
  /// is heard: a client in use costs one query in two seconds, shared with all others that are due.
  static let lifetime: Duration = .seconds(2)
  /// Longer, since it is a "no" that may be outdated.
  static let absenceLifetime: Duration = .seconds(5)
  static let clientCountMax = 10_000
  static let absenceCountMax = 4096

  private struct Entry {
    var client: Client
    var expiresAt: Timestamp
  }

  private var clients: [ClientID: Entry] = [:]
  private var absences: [ClientID: Timestamp] = [:]

  enum Finding {
    case known(Client)
    case absent
    case unknown
  }

  func find(_ id: ClientID, at now: Timestamp) -> Finding {
    if let entry = clients[id], now < entry.expiresAt { return .known(entry.client) }
    if let expiresAt = absences[id], now < expiresAt { return .absent }
    return .unknown
  }

  mutating func record(_ registered: RegisteredClient, at now: Timestamp) {
    let id = registered.client.id
    absences[id] = nil
    if clients[id] == nil, clients.count >= Self.clientCountMax { makeRoom(at: now) }
    // A secret that ends earlier ends the entry: the next read comes without it.
    let expiresAt = min(now + Self.lifetime, registered.secretExpiresAt ?? now + Self.lifetime)
    clients[id] = Entry(client: registered.client, expiresAt: expiresAt)
  }

  mutating func recordAbsence(_ id: ClientID, at now: Timestamp) {
    clients[id] = nil
    if absences[id] == nil, absences.count >= Self.absenceCountMax { absences.removeAll(keepingCapacity: true) }
    absences[id] = now + Self.absenceLifetime
  }

  mutating func forget(_ id: ClientID) {
    clients[id] = nil
    absences[id] = nil
  }

  mutating func forgetEverything() {
    clients = [:]
    absences = [:]
  }

  private mutating func makeRoom(at now: Timestamp) {
    clients = clients.filter { now < $0.value.expiresAt }
    if clients.count >= Self.clientCountMax, let victim = clients.keys.first { clients[victim] = nil }
  }
}
