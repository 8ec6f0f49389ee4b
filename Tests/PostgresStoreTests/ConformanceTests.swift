import Broker
import OAuthCore
import PosternTesting
import PostgresStore
import Testing

@Suite("The ports in PostgreSQL")
struct ConformanceTests {
  @Test("TokenStore", arguments: TokenStoreLaws.all)
  func tokens(_ law: Law<any TokenStore>) async throws {
    try await withInstance { try await law.check($0.tokens) }
  }

  @Test("TokenStore on consents", arguments: ConsentedIssuanceLaws.all)
  func consentedTokens(_ law: Law<ConsentedStores>) async throws {
    try await withInstance { instance in
      let consents = PostgresConsentStore(pools: instance.pools, logger: silent)
      try await law.check(ConsentedStores(tokens: instance.tokens, consents: consents))
    }
  }

  @Test("SessionStore", arguments: SessionStoreLaws.all)
  func sessions(_ law: Law<any SessionStore>) async throws {
    try await withInstance { try await law.check(PostgresSessionStore(pools: $0.pools, logger: silent)) }
  }

  @Test("ConsentStore", arguments: ConsentStoreLaws.all)
  func consents(_ law: Law<any ConsentStore>) async throws {
    try await withInstance { try await law.check(PostgresConsentStore(pools: $0.pools, logger: silent)) }
  }

  @Test("SigningKeyStore", arguments: SigningKeyStoreLaws.all)
  func signingKeys(_ law: Law<any SigningKeyStore>) async throws {
    try await withInstance { try await law.check(PostgresSigningKeyStore(pools: $0.pools, logger: silent)) }
  }

  @Test("ConnectionStore", arguments: ConnectionStoreLaws.all)
  func connections(_ law: Law<any ConnectionStore>) async throws {
    try await withInstance { try await law.check(PostgresConnectionStore(pools: $0.pools, logger: silent)) }
  }
}

/// The stores that other tests stand on obey the same laws.
@Suite("The ports in memory")
struct InMemoryConformanceTests {
  @Test("TokenStore", arguments: TokenStoreLaws.all)
  func tokens(_ law: Law<any TokenStore>) async throws { try await law.check(InMemoryTokenStore()) }

  @Test("TokenStore on consents", arguments: ConsentedIssuanceLaws.all)
  func consentedTokens(_ law: Law<ConsentedStores>) async throws {
    let consents = InMemoryConsentStore()
    try await law.check(ConsentedStores(tokens: InMemoryTokenStore(consents: consents), consents: consents))
  }

  @Test("SessionStore", arguments: SessionStoreLaws.all)
  func sessions(_ law: Law<any SessionStore>) async throws { try await law.check(InMemorySessionStore()) }

  @Test("ConsentStore", arguments: ConsentStoreLaws.all)
  func consents(_ law: Law<any ConsentStore>) async throws { try await law.check(InMemoryConsentStore()) }

  @Test("SigningKeyStore", arguments: SigningKeyStoreLaws.all)
  func signingKeys(_ law: Law<any SigningKeyStore>) async throws { try await law.check(InMemorySigningKeyStore()) }
}
