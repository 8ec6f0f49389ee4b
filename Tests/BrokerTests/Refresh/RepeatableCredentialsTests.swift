import Cryptography
import JSON
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

/// Tokens that Postern obtains by its own word: for service accounts, and for subjects where nobody connects anything.
@Suite("Credentials by assertion", .timeLimit(.minutes(1)))
struct RepeatableCredentialsTests {
  private let time = ManualTime()
  private let store: InMemoryConnectionStore
  private let transport = ScriptedProvider()
  private let keys: SigningKeys
  private let robot = SigningKey.generate(.es256, id: "robot-key")

  init() async throws {
    store = InMemoryConnectionStore(clock: time)
    keys = try await SigningKeys.load(from: InMemorySigningKeyStore(), ring: .test, at: time.now)
  }

  private func instance(_ provider: Provider) -> LiveCredentials {
    LiveCredentials(
      providers: [provider], store: store, transport: transport,
      assertions: IdentityAssertions(issuer: "https://auth.example", signingKeys: keys), keyRing: .test, clock: time,
      random: FixedRandom(), sleeper: time, executor: nil, observer: EventRecorder())
  }

  private var exchange: Provider {
    var provider = Provider.cloudVault()
    provider.grant = .tokenExchange
    provider.audience = "vault-api"
    return provider
  }

  private var serviceAccount: Provider {
    var provider = Provider.cloudVault()
    provider.client = ProviderClient(unauthenticated: "")
    provider.grant = .jwtBearer(ServiceAccount(issuer: "robot@vault.example", key: AssertionKey(robot)))
    return provider
  }

  private func token(_ instance: LiveCredentials, of subject: String) async throws -> String {
    try await instance.credential(for: "cloudvault", of: .subject(Subject(subject))).fieldValue.exposedText
  }

  @Test("RFC 8693 §2.1: each subject has a token of its own, for which Postern says who it is")
  func tokenExchange() async throws {
    let instance = instance(exchange)
    #expect(try await token(instance, of: "alice") == "Bearer token-1")
    #expect(try await token(instance, of: "bob") == "Bearer token-2")
    #expect(try await token(instance, of: "alice") == "Bearer token-1")
    #expect(transport.callCount == 2)
    let form = transport.requests[0].parameters
    #expect(form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange")
    #expect(form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt")
    #expect(form["audience"] == "vault-api" && form["scope"] == "read_photos")
    let expectation = JWTExpectation(
      type: IdentityAssertions.type, issuer: "https://auth.example", audiences: ["https://cloudvault.example/token"])
    let jwt = try JWT.verify(
      try #require(form["subject_token"]), with: VerificationKeySet(keys.published), expecting: expectation,
      now: time.now.seconds)
    #expect(jwt.claims["sub"] == "alice" && jwt.claims["jti"]?.string?.isEmpty == false)
    // Sealed, and bound to its subject.
    let key = ConnectionKey(provider: "cloudvault", owner: .exchanged(for: Subject("alice")))
    let stored = try #require(store[key]?.credential)
    #expect(CredentialSealer(ring: .test).open(stored, of: key)?.accessToken == Secret("token-1"))
  }

  @Test("200 parallel callers on any number of instances cost one exchange; the next is asked for when it has ended", arguments: [1, 4])
  func singleFlight(_ count: Int) async throws {
    let instances = (0..<count).map { _ in instance(exchange) }
    transport.think()
    async let tokens = withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<200 { group.addTask { try await token(instances[number % count], of: "alice") } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    await eventually { transport.callCount == 1 && time.sleeperCount == count - 1 }
    transport.answer()
    let key = ConnectionKey(provider: "cloudvault", owner: .exchanged(for: Subject("alice")))
    await eventually { store[key]?.generation == 1 }
    time.advance(by: .seconds(1))
    #expect(try await tokens == ["Bearer token-1"])
    time.advance(by: .seconds(3600))
    #expect(try await token(instances[0], of: "alice") == "Bearer token-2")
    #expect(transport.callCount == 2)
  }

  @Test("RFC 8693 §2.2.2: a provider that refuses leaves nothing that the user could mend")
  func refused() async throws {
    transport.script(.success(.json(400, #"{"error":"invalid_grant"}"#)))
    let instance = instance(exchange)
    await #expect(throws: BrokerFailure.refused(.invalidGrant, retryAfter: .seconds(10))) {
      try await instance.credential(for: "cloudvault", of: .subject(Subject("alice")))
    }
    // The token is nobody's in particular: a service has none here.
    await #expect(throws: BrokerFailure.unknownProvider) { try await instance.credential(for: "cloudvault") }
  }

  @Test("RFC 7523 §2.1, §3: a service account signs who it is, and no client's secret goes along")
  func jwtBearer() async throws {
    let instance = instance(serviceAccount)
    #expect(try await instance.credential(for: "cloudvault").fieldValue.exposedText == "Bearer token-1")
    let request = transport.requests[0]
    #expect(request.authorization == nil)
    #expect(request.parameters["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer")
    #expect(request.parameters["client_id"] == nil && request.parameters["scope"] == "read_photos")
    let expectation = JWTExpectation(
      type: "JWT", issuer: "robot@vault.example", audiences: ["https://cloudvault.example/token"])
    let jwt = try JWT.verify(
      try #require(request.parameters["assertion"]), with: VerificationKeySet(JWKSet(keys: [robot.jwk])), expecting: expectation,
      now: time.now.seconds)
    #expect(jwt.claims["sub"] == "robot@vault.example")
    // Another instance uses what is stored, though its own assertion would be another.
    #expect(try await self.instance(serviceAccount).credential(for: "cloudvault").fieldValue.exposedText == "Bearer token-1")
    #expect(transport.callCount == 1)
  }
}
