import Configuration
import OAuthCore
import ReverseProxy
import Testing

@Suite struct ConfigurationChangeTests {
  private func change(_ pieces: (String, String)...) throws -> ConfigurationChange {
    var text = Fixture.valid
    for (piece, replacement) in pieces {
      precondition(text.contains(piece), "the fixture has no \(piece)")
      text = text.replacing(piece, with: replacement, maxReplacements: 1)
    }
    return ConfigurationChange(from: try Fixture.load(Fixture.valid), to: try Fixture.load(text))
  }

  @Test("the same file read again changes nothing")
  func nothing() throws {
    let change = try change()
    #expect(change.needsRestart == [])
    #expect(change.changes == [])
    #expect(change.endedAccounts == [])
  }

  @Test("what a process is stays until a restart, and is named as the file names it")
  func restart() throws {
    let change = try change(
      ("issuer: https://auth.example.com", "issuer: https://other.example.com"),
      ("127.0.0.1:8080", "127.0.0.1:8089\nadmin: { address: 127.0.0.1:9090 }"),
      ("database: \"${env:DB}\"", "database: \"postgresql:///elsewhere\""),
      ("id: k1, secret", "id: k2, secret"), ("active: k1", "active: k2"))
    #expect(change.needsRestart == ["issuer", "listen", "admin", "database", "keys"])
    let old = try Fixture.load(Fixture.valid)
    #expect(change.configuration.issuer == old.issuer)
    #expect(change.configuration.listeners == old.listeners)
    #expect(change.configuration.admin == nil)
    #expect(change.configuration.database == old.database)
    #expect(change.configuration.keys == old.keys)
  }

  @Test("routes, token settings and grants are taken as they are now")
  func taken() throws {
    let change = try change(("path: /photos/**", "path: /pictures/**"), ("issuer:", "tokens: { access: { lifetime: 5m } }\nissuer:"))
    #expect(change.needsRestart == [])
    #expect(change.configuration.routes.routes.map(\.pattern.description) == ["/pictures/**"])
    #expect(change.configuration.tokens.accessLifetime == .seconds(300))
    #expect(change.changes == [])
  }

  @Test("a client that was altered, is gone or is new is not remembered as it was")
  func clients() throws {
    #expect(try change(("scopes: [reports.read]", "scopes: [reports.all]")).changes == [.clientChanged(ClientID("machine"))])
    #expect(try change(("${env:APP_SECRET}", "${env:MACHINE_SECRET}")).changes == [.clientChanged(ClientID("app"))])
    #expect(
      try change(("id: machine", "id: robot")).changes
        == [.clientChanged(ClientID("machine")), .clientChanged(ClientID("robot"))])
  }

  @Test("an account that is gone is ended; one with another password is signed out")
  func accounts() throws {
    let gone = try change(("username: alice", "username: bob"))
    #expect(gone.endedAccounts == [Subject("user:alice")])
    #expect(gone.signedOutAccounts == [])
    #expect(gone.changes == [.accountChanged(Subject("user:alice")), .accountChanged(Subject("user:bob"))])
    let other = Fixture.hash.replacing("c2FsdHNhbHRzYWx0c2FsdA", with: "d2FsdHNhbHRzYWx0c2FsdA")
    let altered = try change(("\"${env:HASH}\"", "\"\(other)\""))
    #expect(altered.endedAccounts == [])
    #expect(altered.signedOutAccounts == [Subject("user:alice")])
    #expect(altered.changes == [.accountChanged(Subject("user:alice"))])
  }

  @Test("a provider that was altered loses the credential that loops remember")
  func providers() throws {
    let change = try change(("https://vault.example/token", "https://vault.example/tokens"))
    #expect(change.changes == [.credentialChanged(provider: "vault")])
  }
}
