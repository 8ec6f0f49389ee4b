import Cryptography
import OAuthCore
import PostgresStore
import Testing

@Suite("Clients in PostgreSQL")
struct PostgresClientStoreTests {
  private static let now = Grant.now
  private let client = Client(
    id: ClientID("printmypics"), name: "Print \"My\" Pics ä", authentication: .clientSecretPost,
    secrets: [.sha256(Grant.digest())], grants: [.authorizationCode, .refreshToken],
    redirectURIs: ["https://a.example/cb?x={1,2}", "http://127.0.0.1/cb"], scopes: ["write", "read"],
    audiences: ["https://api.example"], accessTokenFormat: .jwt, accessTokenLifetime: .seconds(90))

  @Test("a client is found as it was registered")
  func roundTrip() async throws {
    try await withInstance { instance in
      let created = try await instance.clients.create(client, at: Self.now)
      #expect(created)
      let found = try await instance.clients.clients([client.id, ClientID("other")], at: Self.now)
      let registered = try #require(found.first)
      #expect(found.count == 1 && registered.createdAt == Self.now && registered.secretExpiresAt == nil)
      #expect(registered.client.id == client.id && registered.client.name == client.name)
      #expect(registered.client.authentication == client.authentication && registered.client.secrets == client.secrets)
      #expect(registered.client.grants == client.grants && registered.client.redirectURIs == client.redirectURIs)
      #expect(registered.client.scopes == client.scopes && registered.client.audiences == client.audiences)
      #expect(registered.client.accessTokenFormat == .jwt && registered.client.accessTokenLifetime == .seconds(90))
      #expect(!registered.client.isDisabled && !registered.client.isConfigured)
    }
  }

  @Test("an id that is taken is refused, and the client that has it is untouched")
  func taken() async throws {
    try await withInstance { instance in
      _ = try await instance.clients.create(client, at: Self.now)
      var other = client
      other.name = "Impostor"
      other.secrets = [.sha256(Grant.digest())]
      let created = try await instance.clients.create(other, at: Self.now)
      #expect(!created)
      let found = try await instance.clients.clients(at: Self.now)
      #expect(found.map(\.client.name) == [client.name] && found[0].client.secrets == client.secrets)
      #expect(try await instance.count("change_log") == 1)
    }
  }

  @Test("at a rotation two secrets live, the newest first, and a third ends the oldest")
  func rotation() async throws {
    try await withInstance { instance in
      _ = try await instance.clients.create(client, at: Self.now)
      let second = SecretVerifier.sha256(Grant.digest())
      let third = SecretVerifier.scrypt("$scrypt$ln=14,r=8,p=1$c2FsdA$aGFzaA")
      for (delay, verifier) in [(1, second), (2, third)] {
        let moment = Self.now + .seconds(delay)
        let rotated = try await instance.clients.rotateSecret(
          of: client.id, to: verifier, previousEndsAt: nil, at: moment)
        #expect(rotated)
      }
      let secrets = try await instance.clients.clients([client.id], at: Self.now + .seconds(3))[0].client.secrets
      #expect(secrets == [third, second])
    }
  }

  @Test("the secret before ends when it was told to, not earlier and not later")
  func retirement() async throws {
    try await withInstance { instance in
      _ = try await instance.clients.create(client, at: Self.now)
      let second = SecretVerifier.sha256(Grant.digest())
      let end = Self.now + .seconds(3600)
      _ = try await instance.clients.rotateSecret(
        of: client.id, to: second, previousEndsAt: end, at: Self.now + .seconds(1))
      let before = try await instance.clients.clients([client.id], at: end - .seconds(1))[0]
      #expect(before.client.secrets == [second] + client.secrets && before.secretExpiresAt == end)
      let after = try await instance.clients.clients([client.id], at: end)[0]
      #expect(after.client.secrets == [second] && after.secretExpiresAt == nil)
    }
  }

  @Test("disabling is told, and what does not exist is no client")
  func disabling() async throws {
    try await withInstance { instance in
      _ = try await instance.clients.create(client, at: Self.now)
      let disabled = try await instance.clients.setDisabled(true, client.id)
      #expect(disabled)
      #expect(try await instance.clients.clients([client.id], at: Self.now)[0].client.isDisabled)
      #expect(try await instance.count("change_log") == 2)
      for id in ["nobody", "nul\0"] {
        #expect(try await !instance.clients.setDisabled(true, ClientID(id)))
        #expect(
          try await !instance.clients.rotateSecret(
            of: ClientID(id), to: .sha256(Grant.digest()), previousEndsAt: nil, at: Self.now))
        #expect(try await instance.clients.clients([ClientID(id)], at: Self.now).isEmpty)
      }
      #expect(try await instance.count("change_log") == 2)
    }
  }
}
