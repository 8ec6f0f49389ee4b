import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

/// Alice's browser on its way to CloudVault and back.
private struct Way {
  let time = ManualTime()
  let flows = InMemoryConnectFlowStore()
  let store: InMemoryConnectionStore
  let provider = ScriptedProvider()
  let connector: Connector
  let events = EventRecorder()

  static let alice = Subject("alice")
  static let session = Locator(high: 1, low: 1)
  static let key = ConnectionKey(provider: "cloudvault", owner: .subject(alice))

  init(issuer: String? = nil, revocation: Bool = false) {
    store = InMemoryConnectionStore(clock: time)
    connector = Connector(
      providers: [.connectable(issuer: issuer, revocation: revocation), .connectable("other")],
      issuer: "https://auth.example.com", flows: flows, connections: store, transport: provider, keyRing: .test,
      random: SystemRandom(), clock: time, observer: events, changes: NoChanges())
  }

  func leave() async throws -> [String: String] {
    let address = try await connector.begin("cloudvault", for: Self.alice, session: Self.session)
    let parts = address.split(separator: "?", maxSplits: 1)
    #expect(parts[0] == "https://cloudvault.example/authorize")
    let form = try FormDecoder.decode(Array(parts[1].utf8))
    return Dictionary(uniqueKeysWithValues: form.pairs.map { ($0.name, $0.value) })
  }

  func goAndComeBack(
    code: String? = "the-code", error: String? = nil, issuer: String? = nil
  ) async throws -> Connector.Failure? {
    let state = try await leave()["state"]
    return await comeBack(state, code: code, error: error, issuer: issuer)
  }

  func comeBack(
    _ state: String?, code: String? = "the-code", error: String? = nil, issuer: String? = nil,
    from id: ProviderID = "cloudvault", as subject: Subject = alice, session: Locator = session
  ) async -> Connector.Failure? {
    let answer = Connector.Answer(code: code, error: error, issuer: issuer)
    do throws(Connector.Failure) {
      try await connector.finish(id, state: state, answer, for: subject, session: session)
      return nil
    } catch {
      return error
    }
  }
}

struct NoChanges: ChangeObserver {
  func apply(_ changes: [Change]) {}
  func forgetEverything() {}
}

extension Provider {
  static func connectable(
    _ id: ProviderID = "cloudvault", issuer: String? = nil, revocation: Bool = false,
    rotation: ProviderAuthorization.Rotation = .strict
  ) -> Provider {
    var provider = Provider.cloudVault(id)
    provider.issuer = issuer
    provider.authorization = ProviderAuthorization(
      endpoint: EndpointURL("https://cloudvault.example/authorize")!,
      revocationEndpoint: revocation ? EndpointURL("https://cloudvault.example/revoke") : nil, rotation: rotation)
    return provider
  }
}

extension ProviderResponse {
  static func tokens(_ access: String, refresh: String?, expiresIn: Int = 3600) -> ProviderResponse {
    let refreshMember = refresh.map { #","refresh_token":"\#($0)""# } ?? ""
    return .json(200, #"{"access_token":"\#(access)","token_type":"Bearer","expires_in":\#(expiresIn)\#(refreshMember)}"#)
  }
}

extension ProviderRequest {
  var parameters: [String: String] {
    let pairs = (try? FormDecoder.decode(form?.exposedBytes ?? []))?.pairs ?? []
    return Dictionary(pairs.map { ($0.name, $0.value) }) { first, _ in first }
  }
}

@Suite("Connecting an account", .timeLimit(.minutes(5)))
struct ConnectorTests {
  @Test("RFC 9700 §4.7: an answer with no state, or with one that nobody was given, gets nothing exchanged")
  func badState() async throws {
    let way = Way()
    _ = try await way.leave()
    #expect(await way.comeBack(nil) == .noFlow)
    #expect(await way.comeBack("made-up") == .noFlow)
    #expect(await way.comeBack(String(repeating: "x", count: 5000)) == .noFlow)
    #expect(way.provider.callCount == 0)
  }

  @Test("RFC 9700 §4.7: a state belongs to one browser session, one user and one provider; theirs still works afterwards")
  func foreignState() async throws {
    let way = Way()
    let state = try await way.leave()["state"]
    #expect(await way.comeBack(state, session: Locator(high: 1, low: 2)) == .noFlow)
    #expect(await way.comeBack(state, as: Subject("mallory")) == .noFlow)
    #expect(await way.comeBack(state, from: "other") == .noFlow)
    #expect(way.provider.callCount == 0)
    #expect(await way.comeBack(state) == nil)
  }

  @Test("RFC 6749 §10.12: a state comes back once, whatever came of it")
  func reused() async throws {
    let way = Way()
    let state = try await way.leave()["state"]
    #expect(await way.comeBack(state) == nil)
    #expect(await way.comeBack(state) == .noFlow)
    let denied = try await way.leave()["state"]
    #expect(await way.comeBack(denied, code: nil, error: "access_denied") == .denied)
    #expect(await way.comeBack(denied) == .noFlow)
    #expect(way.provider.callCount == 1)
  }

  @Test("a flow ends after ten minutes")
  func expired() async throws {
    let way = Way()
    let state = try await way.leave()["state"]
    way.time.advance(by: Connector.flowLifetime)
    #expect(await way.comeBack(state) == .noFlow)
    #expect(way.provider.callCount == 0)
  }

  @Test("RFC 9207 §2.4: with an issuer configured, an answer without it, or with another, is refused", arguments: [nil, "https://evil.example", "https://cloudvault.example/"])
  func issuer(_ answered: String?) async throws {
    let way = Way(issuer: "https://cloudvault.example")
    #expect(try await way.goAndComeBack(issuer: answered) == .otherIssuer)
    #expect(way.provider.callCount == 0)
    #expect(try await way.goAndComeBack(issuer: "https://cloudvault.example") == nil)
  }

  @Test("what the provider answers instead of a code or a token connects nothing")
  func refused() async throws {
    let way = Way()
    #expect(try await way.goAndComeBack(code: nil, error: "server_error") == .providerFailed)
    #expect(try await way.goAndComeBack(code: nil) == .providerFailed)
    for response in [
      ProviderResponse.json(400, #"{"error":"invalid_grant"}"#), .json(200, "{}"), .json(500, ""),
      .json(200, #"{"access_token":"t","token_type":"mac"}"#),
    ] {
      way.provider.script(.success(response))
      #expect(try await way.goAndComeBack() == .providerFailed)
    }
    #expect(try await way.store.connection(Way.key) == nil)
  }

  @Test("RFC 7636 §4.1-4.6: each flow has a challenge of its own, S256, and the verifier goes with the code only")
  func proofKey() async throws {
    let way = Way()
    let first = try await way.leave()
    let second = try await way.leave()
    #expect(first["code_challenge"] != second["code_challenge"] && first["state"] != second["state"])
    #expect(first["code_challenge_method"] == "S256")
    #expect(first["redirect_uri"] == "https://auth.example.com/connect/cloudvault/callback")
    #expect(first["scope"] == "read_photos")
    #expect(first["client_secret"] == nil && first["code_verifier"] == nil)
    // Two tabs, and the later one comes back first.
    #expect(await way.comeBack(second["state"]) == nil)
    #expect(await way.comeBack(first["state"]) == nil)
    let sent = way.provider.requests.map(\.parameters)
    for (answered, flow) in zip(sent, [second, first]) {
      let verifier = try #require(answered["code_verifier"])
      #expect(ProofKey.isVerifier(verifier))
      #expect(Base64URL.encode(SHA256.digest(verifier).bytes) == flow["code_challenge"])
      #expect(answered["grant_type"] == "authorization_code")
      #expect(answered["code"] == "the-code")
      #expect(answered["redirect_uri"] == flow["redirect_uri"])
    }
  }

  @Test("what is stored opens for its user, provider and generation only, and nothing else holds a token")
  func sealed() async throws {
    let way = Way()
    way.provider.script(.success(.tokens("access-1", refresh: "refresh-1")))
    #expect(try await way.goAndComeBack() == nil)
    let stored = try #require(try await way.store.connection(Way.key)?.credential)
    let sealer = CredentialSealer(ring: .test)
    let record = try #require(sealer.open(stored, of: Way.key))
    #expect(record.accessToken == Secret("access-1") && record.refreshToken == Secret("refresh-1"))
    #expect(sealer.open(stored, of: ConnectionKey(provider: "cloudvault", owner: .subject(Subject("bob")))) == nil)
    #expect(sealer.open(stored, of: ConnectionKey(provider: "other", owner: .subject(Way.alice))) == nil)
    #expect(sealer.open(stored, of: ConnectionKey(provider: "cloudvault", owner: .service)) == nil)
    var older = stored
    older.generation += 1
    #expect(sealer.open(older, of: Way.key) == nil)
  }

  @Test("RFC 7009 §2.1: disconnecting forgets the tokens here first, then tells the provider of the refresh token")
  func disconnect() async throws {
    let way = Way(revocation: true)
    way.provider.script(.success(.tokens("access-1", refresh: "refresh-1")), .success(.json(503, "")))
    #expect(try await way.goAndComeBack() == nil)
    try await way.connector.disconnect("cloudvault", of: Way.alice)
    #expect(try await way.store.connection(Way.key) == StoredConnection(state: .revoked, credential: nil))
    #expect(way.provider.requests.last?.url.target == "/revoke")
    #expect(way.provider.requests.last?.parameters["token"] == "refresh-1")
    #expect(way.provider.requests.last?.authorization != nil)
    #expect(way.events.events.last == .notRevokedAtProvider)
    #expect(try await way.connector.connections(of: Way.alice).isEmpty)
    // Connecting again works, under a generation that was never used.
    #expect(try await way.goAndComeBack() == nil)
    #expect(try await way.store.connection(Way.key)?.credential?.generation == 3)
  }
}
