import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

/// A provider found by its metadata, that vouches for who has signed in.
private struct Identities {
  let time = ManualTime()
  let store: InMemoryConnectionStore
  let provider = ScriptedProvider()
  let events = EventRecorder()
  let connector: Connector
  let key = SigningKey.generate(.es256, id: "k1")

  static let issuer = "https://id.example"
  static let alice = Subject("alice")
  static let session = Locator(high: 1, low: 1)
  static let connection = ConnectionKey(provider: "id", owner: .subject(alice))

  init(client: ProviderClient = ProviderClient(id: "postern", secret: Secret("s3cret")), metadata: String? = nil) {
    store = InMemoryConnectionStore(clock: time)
    connector = Connector(
      providers: [
        Provider(
          id: "id", issuer: Self.issuer, tokenEndpoint: nil, client: client, scopes: ["openid", "photos"],
          allowedHosts: ["api.id.example"], authorization: ProviderAuthorization(endpoint: nil))
      ],
      issuer: "https://auth.example.com", flows: InMemoryConnectFlowStore(), connections: store, transport: provider,
      keyRing: .test, random: SystemRandom(), clock: time, observer: events, changes: NoChanges())
    provider.publish(metadata ?? Self.metadata(), at: "\(Self.issuer)/.well-known/oauth-authorization-server")
    publish([key])
  }

  static func metadata(_ members: JSONObject = [:], without missing: String? = nil) -> String {
    var object: JSONObject = [
      "issuer": .string(issuer), "authorization_endpoint": .string("\(issuer)/authorize"),
      "token_endpoint": .string("\(issuer)/token"), "jwks_uri": .string("\(issuer)/jwks"),
    ]
    for (name, value) in members.members { object[name] = value }
    if let missing { object[missing] = nil }
    return String(decoding: object.bytes, as: UTF8.self)
  }

  func publish(_ keys: [SigningKey]) {
    provider.publish(
      String(decoding: JWKSet(keys: keys.map(\.publicJWK)).publicJSON.bytes, as: UTF8.self), at: "\(Self.issuer)/jwks")
  }

  func leave() async throws(Connector.Failure) -> [String: String] {
    let address = try await connector.begin("id", for: Self.alice, session: Self.session)
    let query = address.split(separator: "?", maxSplits: 1)[1]
    let pairs = (try? FormDecoder.decode(Array(query.utf8)))?.pairs ?? []
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0.name, $0.value) })
  }

  /// Goes and comes back with an ID token of these claims; nil: without one.
  func comeBack(_ change: (inout JSONObject) -> Void = { _ in }, signedBy key: SigningKey? = nil) async throws -> Connector.Failure? {
    let sent = try await leave()
    var claims: JSONObject = [
      "iss": .string(Self.issuer), "aud": "postern", "sub": "u-1", "nonce": .string(sent["nonce"] ?? ""),
      "iat": .integer(time.now.seconds), "exp": .integer(time.now.seconds + 300),
    ]
    change(&claims)
    return await answer(sent["state"], idToken: JWT.sign(claims, type: "JWT", with: key ?? self.key))
  }

  func answer(_ state: String?, idToken: String?, issuer: String? = nil) async -> Connector.Failure? {
    let member = idToken.map { #","id_token":"\#($0)""# } ?? ""
    provider.script(.success(.json(200, #"{"access_token":"a","token_type":"Bearer"\#(member)}"#)))
    do throws(Connector.Failure) {
      try await connector.finish(
        "id", state: state, Connector.Answer(code: "c", error: nil, issuer: issuer), for: Self.alice, session: Self.session)
      return nil
    } catch {
      return error
    }
  }

  var refusal: IDTokenFailure? {
    if case .identityRefused(let failure)? = events.events.last { failure } else { nil }
  }
}

@Suite("Providers found by their metadata", .timeLimit(.minutes(5)))
struct OpenIDConnectTests {
  @Test("OpenID Connect Core §3.1.3.7: a token for this flow connects; endpoints and keys come from the metadata, once")
  func accepted() async throws {
    let way = Identities()
    for _ in 0..<3 { #expect(try await way.comeBack() == nil) }
    #expect(try await way.comeBack { $0["aud"] = ["other", "postern"]; $0["azp"] = "postern" } == nil)
    #expect(try await way.store.connection(Identities.connection)?.state == .active)
    let asked = way.provider.requests.filter { $0.form == nil }.map(\.url.target)
    #expect(asked == ["/.well-known/oauth-authorization-server", "/jwks"])
  }

  @Test("OpenID Connect Core §3.1.3.7: an ID token that is another's, for another, old or without its nonce connects nothing", arguments: [
    ("iss", "https://evil.example", IDTokenFailure.claims(.wrongIssuer)), ("aud", "other", .claims(.wrongAudience)),
    ("azp", "other", .authorizedParty), ("nonce", "another", .nonce), ("nonce", nil, .nonce),
    ("sub", nil, .claims(.malformedClaim("sub"))), ("iat", nil, .claims(.malformedClaim("iat"))),
  ] as [(String, String?, IDTokenFailure)])
  func refused(claim: String, value: String?, failure: IDTokenFailure) async throws {
    let way = Identities()
    #expect(try await way.comeBack { $0[claim] = value.map(JSON.string) } == .otherIdentity)
    #expect(way.refusal == failure)
    #expect(try await way.store.connection(Identities.connection) == nil)
  }

  @Test("OpenID Connect Core §3.1.3.7: several audiences without azp, an end that has passed, an age beyond ten minutes")
  func refusedByTimeAndParty() async throws {
    let way = Identities()
    let now = way.time.now.seconds
    #expect(try await way.comeBack { $0["aud"] = ["other", "postern"] } == .otherIdentity)
    #expect(way.refusal == .authorizedParty)
    #expect(try await way.comeBack { $0["exp"] = .integer(now - 61) } == .otherIdentity)
    #expect(way.refusal == .claims(.expired))
    for iat in [now - 601, now + 61, Int64.min] {
      #expect(try await way.comeBack { $0["iat"] = .integer(iat) } == .otherIdentity)
    }
  }

  @Test("OpenID Connect Core §3.1.3.3: with openid in the scope, an answer without a sound ID token connects nothing")
  func missing() async throws {
    let way = Identities()
    #expect(await way.answer(try await way.leave()["state"], idToken: nil) == .otherIdentity)
    #expect(way.refusal == .missing)
    #expect(await way.answer(try await way.leave()["state"], idToken: "a.b.c") == .otherIdentity)
    #expect(way.refusal == .malformed)
    let unsigned = #"{"alg":"none"}"#, claims = #"{"iss":"https://id.example"}"#
    let token = "\(Base64URL.encode(Array(unsigned.utf8))).\(Base64URL.encode(Array(claims.utf8)))."
    #expect(await way.answer(try await way.leave()["state"], idToken: token) == .otherIdentity)
    #expect(way.refusal == .algorithm)
  }

  @Test("OpenID Connect Core §10.1.1: a stranger's key vouches for nobody; a new key of the provider is fetched")
  func keys() async throws {
    let way = Identities()
    let other = SigningKey.generate(.es256, id: "k1")
    #expect(try await way.comeBack(signedBy: other) == .otherIdentity)
    #expect(way.refusal == .signature)
    let next = SigningKey.generate(.edDSA, id: "k2")
    way.publish([way.key, next])
    way.time.advance(by: FetchLimits.unknownKeyPause)
    #expect(try await way.comeBack(signedBy: next) == nil)
  }

  @Test("RFC 8414 §3.3: metadata of another issuer, or without the endpoints, sends the user nowhere", arguments: [
    Identities.metadata(["issuer": "https://evil.example"]), Identities.metadata(without: "token_endpoint"),
    Identities.metadata(without: "authorization_endpoint"),
    Identities.metadata(["token_endpoint": "http://id.example/token"]), "<html>",
  ])
  fileprivate func badMetadata(_ document: String) async throws {
    let way = Identities(metadata: document)
    await #expect(throws: Connector.Failure.providerFailed) { try await way.leave() }
  }

  @Test("RFC 9207 §2.4: where the metadata promises it, every answer names the issuer; where not, a named one must be it")
  func issuerOfAnswers() async throws {
    let silent = Identities()
    #expect(await silent.answer(try await silent.leave()["state"], idToken: nil, issuer: "https://evil.example") == .otherIssuer)
    let promising = Identities(metadata: Identities.metadata(["authorization_response_iss_parameter_supported": true]))
    #expect(await promising.answer(try await promising.leave()["state"], idToken: nil) == .otherIssuer)
    #expect(promising.provider.requests.allSatisfy { $0.form == nil })
  }

  @Test("RFC 9126 §2, §4: where it is announced, the request is pushed and the browser carries its name only")
  func pushed() async throws {
    let way = Identities(metadata: Identities.metadata(["pushed_authorization_request_endpoint": .string("\(Identities.issuer)/par")]))
    way.provider.publish(#"{"request_uri":"urn:x:1","expires_in":60}"#, at: "\(Identities.issuer)/par", status: 201)
    #expect(try await way.leave() == ["client_id": "postern", "request_uri": "urn:x:1"])
    let request = try #require(way.provider.requests.last)
    #expect(request.authorization != nil)
    let sent = request.parameters
    #expect(sent["response_type"] == "code" && sent["code_challenge_method"] == "S256" && sent["nonce"] != nil)
    #expect(sent["redirect_uri"] == "https://auth.example.com/connect/id/callback" && sent["request_uri"] == nil)
    for (status, body) in [(200, #"{"request_uri":"urn:x:1"}"#), (201, "{}"), (400, #"{"error":"invalid_request"}"#)] {
      way.provider.publish(body, at: "\(Identities.issuer)/par", status: status)
      await #expect(throws: Connector.Failure.providerFailed) { try await way.leave() }
    }
    #expect(way.events.events.last == .pushRefused)
  }

  @Test("RFC 7523 §2.2, §3: a client with a key proves itself by an assertion of its own for each request, never a secret")
  func assertion() async throws {
    let signing = SigningKey.generate(.es256, id: "postern-1")
    let way = Identities(client: ProviderClient(id: "postern", key: AssertionKey(signing)))
    var identifiers: Set<String> = []
    for _ in 0..<2 {
      #expect(try await way.comeBack() == nil)
      let sent = try #require(way.provider.requests.last { $0.form != nil })
      #expect(sent.authorization == nil && sent.parameters["client_secret"] == nil && sent.parameters["client_id"] == "postern")
      #expect(sent.parameters["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
      let jwt = try JWT.verify(
        try #require(sent.parameters["client_assertion"]),
        with: VerificationKeySet(JWKSet(keys: [signing.publicJWK])),
        expecting: JWTExpectation(type: "JWT", issuer: "postern", audiences: ["\(Identities.issuer)/token"]),
        now: way.time.now.seconds)
      #expect(jwt.claims["sub"] == "postern")
      #expect(jwt.claims["exp"]?.integer == way.time.now.seconds + 60)
      identifiers.insert(try #require(jwt.claims["jti"]?.string))
    }
    #expect(identifiers.count == 2)
  }

  @Test("a refresh finds the token endpoint as a connection does; without metadata nothing is presented and no lease is taken")
  func refresh() async throws {
    let time = ManualTime()
    let store = InMemoryConnectionStore(clock: time)
    let scripted = ScriptedProvider()
    var provider = Provider.cloudVault()
    provider.issuer = Identities.issuer
    provider.tokenEndpoint = nil
    let instance = Instance([provider], store: store, provider: scripted, time: time)
    let location = "\(Identities.issuer)/.well-known/oauth-authorization-server"
    scripted.publish("", at: location, status: 503)
    #expect(await instance.failure() == .unavailable(retryAfter: .zero) || scripted.requests.allSatisfy { $0.form == nil })
    #expect(store.row("cloudvault") == nil)
    scripted.publish(Identities.metadata(), at: location)
    time.advance(by: .seconds(2))
    #expect(try await instance.token().hasPrefix("Bearer token-"))
    #expect(scripted.requests.last?.url.description == "\(Identities.issuer)/token")
  }
}
