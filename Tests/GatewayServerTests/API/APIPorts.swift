import Broker
import Cryptography
import JSON
import OAuthCore
import PosternTesting

@testable import GatewayServer

/// Tokens named after what they are good for: `admin`, `reader`.
struct ScriptedTokens: TokenVerifier {
  func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? {
    let scope: ScopeSet
    switch String(decoding: token, as: UTF8.self) {
    case "admin": scope = ["postern.admin", "photos.read"]
    case "reader": scope = ["photos.read"]
    case "bound": scope = ["postern.admin"]
    case "outage": throw .unavailable
    default: return nil
    }
    var claims: JSONObject = [:]
    if token == Array("bound".utf8) {
      claims["cnf"] = ["x5t#S256": .string(Base64URL.encode(SHA256.digest("certificate").bytes))]
    }
    return TokenFacts(
      authorization: Authorization(
        subject: Subject("backend"), client: ClientID("printmypics"), scope: scope, audience: [], authenticatedAt: nil,
        claims: claims),
      family: nil, locator: Locator(high: 1, low: 1), issuedAt: Timestamp(seconds: 0), expiresAt: Timestamp(seconds: 1 << 40),
      secretHash: SHA256.digest("t"))
  }

  func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? { facts }
}

struct NoSleep: Sleeper {
  func sleep(for duration: Duration) async {}
}

/// What an `InMemoryConnectionStore` holds, under ids of its own: one for each subject in alphabetical order.
struct InMemoryConnectionDirectory: ConnectionDirectory {
  let store: InMemoryConnectionStore

  private var all: [ConnectionDetails] {
    store.users.enumerated().map { index, entry in
      ConnectionDetails(
        id: Locator(high: 0xA, low: UInt64(index + 1)), key: entry.key, state: entry.row.state ?? .revoked,
        generation: entry.row.generation, connectedAt: entry.row.connectedAt, usedAt: nil,
        expiresAt: entry.row.credential?.expiresAt, renewAt: nil, scopes: entry.row.scopes)
    }
  }

  func connections(
    of provider: ProviderID?, subject: Subject?, after id: Locator?, count: Int
  ) async throws(StoreFailure) -> [ConnectionDetails] {
    let found = all.filter { connection in
      (provider == nil || connection.key.provider == provider) && (subject == nil || connection.key.owner == .subject(subject!))
        && (id.map { "\($0)" < "\(connection.id)" } ?? true)
    }
    return Array(found.prefix(count))
  }

  func connection(id: String) async throws(StoreFailure) -> ConnectionDetails? { all.first { "\($0.id)" == id } }

  func attempts(on id: Locator) async throws(StoreFailure) -> [RecordedAttempt] { [] }
}
