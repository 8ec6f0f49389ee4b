import Broker
import Cryptography
import OAuthCore
import PosternTesting
import PostgresStore
import Testing

@Suite("Connect tickets in PostgreSQL")
struct PostgresConnectTicketTests {
  private static let now = Timestamp(seconds: 1_800_000_000)
  private static let mint = HandleMint(
    ring: try! KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))]), random: SystemRandom())

  private static func ticket(_ handle: Handle, returnTo: String? = "https://app.example/") -> ConnectTicket {
    ConnectTicket(
      locator: handle.locator, secretHash: handle.secretHash, client: ClientID("backend"), subject: Subject("alice"),
      provider: ProviderID("box"), scopes: ["a", "b"], returnTo: returnTo, expiresAt: now + .seconds(600))
  }

  @Test("of 20 who use a ticket at once, one gets it; nobody by its locator alone, and nobody once it has expired")
  func once() async throws {
    try await withInstance { instance in
      let store = PostgresConnectTicketStore(pools: instance.pools, logger: silent)
      let handle = Self.mint.make(.connectTicket, at: Self.now)
      let ticket = Self.ticket(handle)
      try await store.issue(ticket, at: Self.now)
      let forged = Self.mint.make(.connectTicket, locator: handle.locator)
      #expect(try await store.ticket(forged, at: Self.now) == nil)
      #expect(try await store.take(forged, at: Self.now) == nil)
      #expect(try await store.take(handle, at: ticket.expiresAt) == nil)
      #expect(try await store.ticket(handle, at: Self.now) == ticket)
      let taken = try await withThrowingTaskGroup(of: ConnectTicket?.self) { tasks in
        for _ in 0..<20 { tasks.addTask { try await store.take(handle, at: Self.now) } }
        return try await tasks.reduce(into: [ConnectTicket]()) { if let ticket = $1 { $0.append(ticket) } }
      }
      #expect(taken == [ticket])
      #expect(try await store.ticket(handle, at: Self.now) == nil)
    }
  }

  @Test("tickets that nobody used go when another is issued; the secret stands nowhere")
  func expiry() async throws {
    try await withInstance { instance in
      let store = PostgresConnectTicketStore(pools: instance.pools, logger: silent)
      let handle = Self.mint.make(.connectTicket, at: Self.now)
      try await store.issue(Self.ticket(handle, returnTo: nil), at: Self.now)
      let kept = try await instance.sql("SELECT connect_ticket::text FROM connect_ticket")
      let hexadecimal = handle.secret.exposedBytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      #expect(try kept.map { try $0.text(0) }.allSatisfy { !$0.contains(hexadecimal) })
      let next = Self.mint.make(.connectTicket, at: Self.now)
      try await store.issue(Self.ticket(next), at: Self.now + .seconds(600))
      #expect(try await instance.sql("SELECT FROM connect_ticket").count == 1)
    }
  }

  @Test("a ticketed flow is its browser session's, whoever is signed in; any other is its subject's, too")
  func flows() async throws {
    try await withInstance { instance in
      let store = PostgresConnectFlowStore(pools: instance.pools, logger: silent)
      let session = Locator(high: 1, low: 1)
      func begin(_ name: String, isTicketed: Bool) async throws -> Digest256 {
        let digest = SHA256.digest(name)
        let flow = ConnectFlow(
          stateDigest: digest, provider: ProviderID("box"), subject: Subject("alice"), session: session, sealedSecrets: [1],
          expiresAt: Self.now + .seconds(60), isTicketed: isTicketed)
        try await store.begin(flow, at: Self.now)
        return digest
      }
      func take(_ digest: Digest256, _ subject: Subject?, _ session: Locator = session) async throws -> TakenFlow? {
        try await store.take(digest, provider: ProviderID("box"), subject: subject, session: session, at: Self.now)
      }
      let own = try await begin("own", isTicketed: false)
      #expect(try await take(own, nil) == nil)
      #expect(try await take(own, Subject("bob")) == nil)
      #expect(try await take(own, Subject("alice")) == TakenFlow(subject: Subject("alice"), sealedSecrets: [1]))
      let ticketed = try await begin("ticketed", isTicketed: true)
      #expect(try await take(ticketed, Subject("alice"), Locator(high: 1, low: 2)) == nil)
      #expect(try await take(ticketed, nil)?.subject == Subject("alice"))
      #expect(try await take(ticketed, nil) == nil)
    }
  }
}
