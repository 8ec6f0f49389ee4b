import Broker
import Cryptography
import JSON
import OAuthCore
import PostgresClient
import PostgresStore
import Testing

@Suite("Webhooks in PostgreSQL")
struct WebhookStoreTests {
  private static let now = Timestamp(seconds: 1_800_000_000)
  private static let alice = ConnectionKey(provider: ProviderID("box"), owner: .subject(Subject("alice")))

  private static func endpoint(_ id: String, _ events: Set<WebhookEvent> = Set(WebhookEvent.allCases)) -> WebhookEndpoint {
    WebhookEndpoint(
      id: id, url: EndpointURL("https://hooks.example/")!,
      secret: WebhookSecret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))!, events: events)
  }

  private static func credential(_ generation: Int64) -> StoredCredential {
    var credential = StoredCredential(generation: generation, sealed: [1], expiresAt: now + .seconds(60))
    credential.scopes = ["read"]
    return credential
  }

  /// Connects, loses, refreshes all the same, and disconnects.
  private static func live(_ instance: Instance) async throws {
    let store = PostgresConnectionStore(pools: instance.pools, logger: silent)
    _ = try await store.prepare(alice)
    _ = try await store.establish(credential(1), of: alice, at: now)
    guard case .taken(let lease) = try await store.takeLease(on: alice, generation: 1, for: .seconds(30)) else {
      Issue.record("no lease")
      return
    }
    try await store.requireReauthentication(.refreshTokenRefused, under: lease)
    _ = try await store.commit(credential(2), under: lease)
    try await store.revoke(alice)
    try await store.revoke(alice)
    let incidents = PostgresProviderIncidentStore(pools: instance.pools, logger: silent)
    for closed in [Int64(10), 20] {
      try await incidents.record(
        ProviderIncident(
          provider: ProviderID("box"), refusal: .invalidClient, since: now, closedUntil: now + .seconds(closed)))
    }
  }

  @Test("every change of a connection is told once to each who wants it, in the transaction that makes it; an incident once")
  func outbox() async throws {
    try await withInstance { instance in
      let store = PostgresWebhookStore(pools: instance.pools, logger: silent)
      try await store.subscribe([Self.endpoint("all"), Self.endpoint("ends", [.revoked])])
      try await Self.live(instance)
      let claimed = try await store.claim(20, for: ["all", "ends"], lasting: .seconds(30))
      func types(_ endpoint: String) throws -> [String] {
        try claimed.filter { $0.endpoint == endpoint }.map {
          try #require(JSON(parsing: Array($0.payload.utf8)).object?["type"]?.string)
        }.sorted()
      }
      #expect(
        try types("all") == [
          "connection.created", "connection.needs_reauth", "connection.recovered", "connection.revoked", "provider.incident",
        ])
      #expect(try types("ends") == ["connection.revoked"])
      let ended = claimed.filter { $0.payload.contains("connection.revoked") }
      #expect(ended.count == 2 && ended[0].event == ended[1].event)
      let lost = try #require(claimed.first { $0.payload.contains("needs_reauth") })
      let data = try #require(JSON(parsing: Array(lost.payload.utf8)).object?["data"]?.object)
      #expect(data["provider"] == "box" && data["subject"] == "alice" && data["reason"] == "refresh_token_refused")
      #expect(data["scopes"]?.strings == ["read"] && data["connection_id"]?.string != nil)
    }
  }

  @Test("what is rolled back is told to nobody, and without subscribers nothing is written")
  func rolledBack() async throws {
    try await withInstance { instance in
      try await Self.live(instance)
      #expect(try await instance.sql("SELECT FROM webhook_delivery").isEmpty)
      let store = PostgresWebhookStore(pools: instance.pools, logger: silent)
      try await store.subscribe([Self.endpoint("all")])
      await #expect(throws: (any Error).self) {
        try await instance.sql(
          "DO $$ BEGIN UPDATE connection SET state = 'active'; RAISE EXCEPTION 'no'; END $$")
      }
      #expect(try await instance.sql("SELECT FROM webhook_delivery").isEmpty)
      try await store.subscribe([])
      _ = try await instance.sql("UPDATE connection SET state = 'active'")
      #expect(try await instance.sql("SELECT FROM webhook_delivery").isEmpty)
    }
  }

  @Test("of many instances one has a delivery at a time; another takes it over when its lease has run out, and only then")
  func claims() async throws {
    try await withInstance { instance in
      let store = PostgresWebhookStore(pools: instance.pools, logger: silent)
      try await store.subscribe([Self.endpoint("all")])
      try await Self.live(instance)
      let claimed = try await withThrowingTaskGroup(of: [WebhookDelivery].self) { tasks in
        for _ in 0..<20 { tasks.addTask { try await store.claim(1, for: ["all"], lasting: .seconds(3600)) } }
        return try await tasks.reduce(into: []) { $0 += $1 }
      }
      #expect(claimed.count == 5 && Set(claimed.map { "\($0.id)" }).count == 5)
      #expect(try await store.claim(20, for: ["all"], lasting: .seconds(30)).isEmpty)
      // The lease has run out; whoever held it is too late.
      _ = try await instance.sql("UPDATE webhook_delivery SET due_at = clock_timestamp()")
      let again = try await store.claim(20, for: ["all"], lasting: .seconds(3600))
      #expect(again.count == 5 && again.allSatisfy { $0.attempt == 2 })
      for late in claimed { try await store.record(.delivered, of: late, result: "status 200") }
      #expect(try await store.deliveries(before: nil, count: 10).allSatisfy { !$0.isDelivered })
    }
  }

  @Test("the log has what came of each delivery, newest first and page by page; what is old is forgotten")
  func log() async throws {
    try await withInstance { instance in
      let store = PostgresWebhookStore(pools: instance.pools, logger: silent)
      try await store.subscribe([Self.endpoint("all")])
      try await Self.live(instance)
      let claimed = try await store.claim(3, for: ["all"], lasting: .seconds(3600))
      try await store.record(.delivered, of: claimed[0], result: "status 204")
      try await store.record(.retry(after: .seconds(0)), of: claimed[1], result: "status 500")
      try await store.record(.givenUp, of: claimed[2], result: "status 410")
      let first = try await store.deliveries(before: nil, count: 3)
      let second = try await store.deliveries(before: first.last?.id, count: 3)
      let all = first + second
      #expect(first.count == 3 && second.count == 2 && Set(all.map { "\($0.id)" }).count == 5)
      #expect(all.map(\.createdAt) == all.map(\.createdAt).sorted(by: >))
      func recorded(_ index: Int) -> RecordedDelivery? { all.first { $0.id == claimed[index].id } }
      #expect(recorded(0)?.isDelivered == true && recorded(0)?.dueAt == nil && recorded(0)?.lastResult == "status 204")
      #expect(recorded(1)?.isDelivered == false && recorded(1)?.dueAt != nil && recorded(1)?.lastResult == "status 500")
      #expect(recorded(2)?.isDelivered == false && recorded(2)?.dueAt == nil)
      // What is to be tried again is, and nothing that has ended.
      let rest = try await store.claim(20, for: ["all"], lasting: .seconds(30))
      #expect(rest.contains { $0.id == claimed[1].id && $0.attempt == 2 } && rest.count == 3)
      try await store.forget(olderThan: .seconds(3600))
      #expect(try await store.deliveries(before: nil, count: 10).count == 5)
      try await store.forget(olderThan: .zero)
      #expect(try await store.deliveries(before: nil, count: 10).isEmpty)
    }
  }
}
