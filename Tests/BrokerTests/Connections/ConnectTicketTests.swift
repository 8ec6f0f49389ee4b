import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

@Suite("Connect tickets", .timeLimit(.minutes(5)))
struct ConnectTicketTests {
  private let time = ManualTime()
  private let store: InMemoryConnectionStore
  private let provider = ScriptedProvider()
  private let connector: Connector
  private let tickets: ConnectTickets

  private static let back = "https://app.example/done?x=1"
  private static let session = Locator(high: 7, low: 7)
  private static let bob = Subject("https://idp.example#bob")

  init() {
    store = InMemoryConnectionStore(clock: time)
    connector = Connector(
      providers: [.connectable(), .connectable("other"), .cloudVault("service")], issuer: "https://auth.example.com",
      flows: InMemoryConnectFlowStore(), connections: store, transport: provider, keyRing: .test, random: SystemRandom(),
      clock: time, observer: EventRecorder(), changes: NoChanges())
    tickets = ConnectTickets(
      connector: connector, store: InMemoryConnectTicketStore(), mint: HandleMint(ring: .test, random: SystemRandom()),
      returnURIs: [Self.back], clock: time)
  }

  private func issue(
    _ id: ProviderID = "cloudvault", subject: Subject = bob, scopes: [String] = [], returnTo: String? = back
  ) async throws(ConnectTickets.Refusal) -> ConnectTickets.Issued {
    try await tickets.issue(for: subject, provider: id, scopes: scopes, returnTo: returnTo, by: ClientID("backend"))
  }

  private func query(_ address: String) throws -> [String: String] {
    let pairs = try FormDecoder.decode(Array(address.split(separator: "?", maxSplits: 1)[1].utf8)).pairs
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0.name, $0.value) })
  }

  @Test("a ticket connects its subject's account in the browser that followed it, whoever is signed in there, and leads back")
  func wholeWay() async throws {
    let issued = try await issue()
    #expect(issued.connectURL == "https://auth.example.com/connect/cloudvault?ticket=\(issued.text)")
    #expect(issued.text.hasPrefix("pct_"))
    let state = try query(try await tickets.follow(issued.text, to: "cloudvault", session: Self.session))["state"]
    // Another browser cannot finish it, signed in or not.
    for subject in [nil, Self.bob, Subject("mallory")] {
      await #expect(throws: Connector.Failure.noFlow) {
        try await connector.comeBack("cloudvault", state: state, signedIn: subject, session: Locator(high: 7, low: 8))
      }
    }
    let flow = try await connector.comeBack("cloudvault", state: state, signedIn: nil, session: Self.session)
    #expect(flow.returnTo == Self.back)
    try await connector.finish("cloudvault", Connector.Answer(code: "c", error: nil, issuer: nil), of: flow)
    let key = ConnectionKey(provider: "cloudvault", owner: .subject(Self.bob))
    #expect(try await store.connection(key)?.state == .active)
  }

  @Test("RFC 9700 §4.11: return_to is one of the list, byte for byte", arguments: [
    "https://app.example/done", "https://app.example/done?x=1&y=2", "https://app.example/done?x=1#f", "https://APP.example/done?x=1",
    "https://app.example/done?x=1/", "//app.example/done?x=1", "https://evil.example/?https://app.example/done?x=1", "",
  ])
  func returnTo(_ address: String) async throws {
    await #expect(throws: ConnectTickets.Refusal.unknownReturnURI) { try await issue(returnTo: address) }
  }

  @Test("a ticket is used once, dies after ten minutes, and is for its own provider; looking at it uses nothing up")
  func once() async throws {
    let ticket = try await issue().text
    for _ in 0..<3 { #expect(try await tickets.ticket(ticket, for: "cloudvault")?.subject == Self.bob) }
    #expect(try await tickets.ticket(ticket, for: "other") == nil)
    _ = try await tickets.follow(ticket, to: "cloudvault", session: Self.session)
    #expect(try await tickets.ticket(ticket, for: "cloudvault") == nil)
    await #expect(throws: Connector.Failure.noFlow) {
      try await tickets.follow(ticket, to: "cloudvault", session: Self.session)
    }
    let old = try await issue().text
    time.advance(by: ConnectTickets.lifetime)
    await #expect(throws: Connector.Failure.noFlow) { try await tickets.follow(old, to: "cloudvault", session: Self.session) }
    for forged in ["", "pct_", "pat_x", String(old.dropLast()) + "A", String(repeating: "x", count: 9000)] {
      #expect(try await tickets.ticket(forged, for: "cloudvault") == nil)
    }
  }

  @Test("a ticket asks for less than the provider's configuration, never for more, and for nobody without a name")
  func scopes() async throws {
    await #expect(throws: ConnectTickets.Refusal.unknownScope("admin")) { try await issue(scopes: ["read_photos", "admin"]) }
    await #expect(throws: ConnectTickets.Refusal.unknownProvider) { try await issue("nowhere") }
    await #expect(throws: ConnectTickets.Refusal.unknownProvider) { try await issue("service") }
    for name in ["", "a\u{7}", String(repeating: "a", count: 513)] {
      await #expect(throws: ConnectTickets.Refusal.malformedSubject) { try await issue(subject: Subject(name)) }
    }
    let issued = try await issue(scopes: ["read_photos"])
    #expect(try query(try await tickets.follow(issued.text, to: "cloudvault", session: Self.session))["scope"] == "read_photos")
  }

  @Test("RFC 6749 §5.1: what was granted is on record: as the provider names it, otherwise as asked")
  func granted() async throws {
    for (answer, expected) in [
      (#"{"access_token":"a","scope":"x y"}"#, ["x", "y"]), (#"{"access_token":"a"}"#, ["read_photos"]),
    ] {
      provider.script(.success(.json(200, answer)))
      let state = try query(try await tickets.follow(try await issue().text, to: "cloudvault", session: Self.session))["state"]
      let flow = try await connector.comeBack("cloudvault", state: state, signedIn: nil, session: Self.session)
      try await connector.finish("cloudvault", Connector.Answer(code: "c", error: nil, issuer: nil), of: flow)
      #expect(try await connector.connections(of: Self.bob).first?.scopes == expected)
    }
  }
}
