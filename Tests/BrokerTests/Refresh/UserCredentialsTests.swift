import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

/// A user's connection, and instances of Postern that use it.
private struct Scene {
  let time = ManualTime()
  let store: InMemoryConnectionStore
  let provider = ScriptedProvider()
  let rotation: ProviderAuthorization.Rotation

  static let alice = Subject("alice")
  static let key = ConnectionKey(provider: "cloudvault", owner: .subject(alice))

  init(rotation: ProviderAuthorization.Rotation = .strict) {
    store = InMemoryConnectionStore(clock: time)
    self.rotation = rotation
  }

  func instance(rememberedMax: Int = 100, limits: BrokerLimits = BrokerLimits()) -> LiveCredentials {
    LiveCredentials(
      providers: [.connectable(rotation: rotation)], store: store, transport: provider, keyRing: .test, clock: time,
      random: FixedRandom(), sleeper: time, executor: nil, observer: EventRecorder(), limits: limits, rememberedMax: rememberedMax)
  }

  /// Stores what alice has connected.
  func connect(
    _ access: String = "access-0", refresh: String? = "refresh-0", lifetime: Duration = .seconds(3600), as key: ConnectionKey = key
  ) async throws {
    let request = TokenRequest(provider: .connectable(), grant: .refreshToken(Secret("-")), deadline: .zero)
    let record = CredentialRecord(
      accessToken: Secret(access), refreshToken: refresh.map { Secret($0) }, obtainedAt: time.now,
      expiresAt: time.now + lifetime, fingerprint: request.fingerprint)
    let generation = try await store.prepare(key) + 1
    let sealed = CredentialSealer(ring: .test).seal(record, of: key, generation: generation)
    #expect(try await store.establish(sealed, of: key, at: time.now) == .stored)
  }

  func record() throws -> CredentialRecord? {
    guard let stored = store[Self.key]?.credential else { return nil }
    return CredentialSealer(ring: .test).open(stored, of: Self.key)
  }
}

extension LiveCredentials {
  fileprivate func answer(of subject: Subject = Scene.alice) async -> Result<String, BrokerFailure> {
    do throws(BrokerFailure) {
      return .success(try await credential(for: "cloudvault", of: .subject(subject)).fieldValue.exposedText)
    } catch {
      return .failure(error)
    }
  }
}

@Suite("The credentials of users", .timeLimit(.minutes(5)))
struct UserCredentialsTests {
  @Test("without a connection, or with a revoked one, the provider is not called")
  func notConnected() async throws {
    let scene = Scene()
    let instance = scene.instance()
    #expect(await instance.answer() == .failure(.notConnected))
    try await scene.connect()
    try await scene.store.revoke(Scene.key)
    instance.forgetEverything()
    #expect(await instance.answer() == .failure(.notConnected))
    #expect(scene.provider.callCount == 0)
  }

  @Test("who keeps asking without a connection does not reach the store each time, until the connection changes")
  func endedIsRemembered() async throws {
    let scene = Scene()
    let instance = scene.instance()
    for _ in 0..<10 { #expect(await instance.answer() == .failure(.notConnected)) }
    #expect(scene.store.lookUpCount == 1)
    try await scene.connect()
    instance.apply([.connectionChanged(provider: "cloudvault", Scene.alice)])
    #expect(await instance.answer() == .success("Bearer access-0"))
  }

  @Test("a row that was moved to another user does not open")
  func movedRow() async throws {
    let scene = Scene()
    try await scene.connect()
    let bob = ConnectionKey(provider: "cloudvault", owner: .subject(Subject("bob")))
    scene.store[bob] = scene.store[Scene.key]
    let instance = scene.instance()
    #expect(await instance.answer(of: Subject("bob")) == .failure(.notConnected))
    #expect(await instance.answer() == .success("Bearer access-0"))
    #expect(scene.provider.callCount == 0)
  }

  @Test("without the store no refresh token is sent: it could be used twice")
  func storeDown() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.store.isDown = true
    guard case .failure(.unavailable) = await scene.instance().answer() else {
      Issue.record("a credential without a store")
      return
    }
    #expect(scene.provider.callCount == 0)
  }

  @Test("parallel callers on two instances with an expired token cost one refresh, and all get the new token")
  func oneRefresh() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.think()
    let instances = [scene.instance(), scene.instance()]
    async let answers = withTaskGroup(of: Result<String, BrokerFailure>.self) { group in
      for number in 0..<200 { group.addTask { await instances[number % 2].answer() } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    await eventually { scene.provider.callCount == 1 && scene.time.sleeperCount > 0 }
    scene.provider.answer()
    // The second instance polls until the first has stored.
    await eventually { scene.store[Scene.key]?.generation == 2 }
    scene.time.advance(by: .seconds(1))
    #expect(Set(await answers) == [.success("Bearer token-1")])
    #expect(scene.provider.callCount == 1)
    let sent = try #require(scene.provider.requests.first?.parameters)
    #expect(sent["grant_type"] == "refresh_token" && sent["refresh_token"] == "refresh-0")
  }

  @Test("RFC 6749 §6: a refresh token that came replaces the old one; when none comes, the old one stays", arguments: [nil, "refresh-1"])
  func rotation(_ rotated: String?) async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.script(.success(.tokens("access-1", refresh: rotated)))
    let instance = scene.instance()
    #expect(await instance.answer() == .success("Bearer access-1"))
    await instance.shutdown()
    #expect(try scene.record()?.refreshToken == Secret(rotated ?? "refresh-0"))
  }

  @Test("inside the soft margin the old token serves while the new one is fetched, and when the fetch fails")
  func softMargin() async throws {
    let scene = Scene()
    try await scene.connect()
    let instance = scene.instance()
    scene.time.advance(by: .seconds(3400))
    scene.provider.script(.failure(.connect))
    for _ in 0..<3 { #expect(await instance.answer() == .success("Bearer access-0")) }
    await eventually { scene.provider.callCount == 1 && scene.store[Scene.key]?.hasOpenAttempt == false }
    #expect(await instance.answer() == .success("Bearer access-0"))
    #expect(scene.provider.callCount == 1)
  }

  @Test("RFC 6749 §5.2: invalid_grant alone ends in needs_reauth; nobody calls the provider after it")
  func invalidGrant() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.script(.success(.json(400, #"{"error":"invalid_grant"}"#)))
    let ended = Result<String, BrokerFailure>.failure(.needsReauthentication(.refreshTokenRefused))
    #expect(await scene.instance().answer() == ended)
    #expect(await scene.instance().answer() == ended)
    #expect(scene.provider.callCount == 1)
    #expect(scene.store[Scene.key]?.state == .needsReauthentication(.refreshTokenRefused))
  }

  @Test("any other failure leaves the connection active", arguments: [
    ProviderResponse.json(400, #"{"error":"invalid_client"}"#), .json(401, ""), .json(408, ""), .json(429, "", retryAfter: "7"),
    .json(500, ""), .json(200, "{}"), .json(400, "<html>"), .json(400, #"{"error":"invalid_scope"}"#),
  ])
  func otherFailures(_ response: ProviderResponse) async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.script(.success(response))
    let instance = scene.instance()
    guard case .failure(let failure) = await instance.answer() else {
      Issue.record("a credential out of nothing")
      return
    }
    #expect(failure != .notConnected)
    await instance.shutdown()
    #expect(scene.store[Scene.key]?.state == .active)
    #expect(try scene.record()?.refreshToken == Secret("refresh-0"))
  }

  @Test("before invalid_grant is believed the row is read again: what the user has just connected wins")
  func invalidGrantAfterReconnect() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.think()
    scene.provider.script(.success(.json(400, #"{"error":"invalid_grant"}"#)))
    let instance = scene.instance()
    async let answer = instance.answer()
    await eventually { scene.provider.callCount == 1 }
    try await scene.connect("access-new", refresh: "refresh-new")
    scene.provider.answer()
    #expect(await answer == .success("Bearer access-new"))
    #expect(scene.store[Scene.key]?.state == .active)
  }

  @Test("a refresh that left no outcome, and then invalid_grant: rotation_in_doubt, not the user's revocation")
  func inDoubt() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    // An instance that died with the lease in its hand.
    _ = try await scene.store.takeLease(on: Scene.key, generation: 1, for: .seconds(25))
    scene.time.advance(by: .seconds(25))
    scene.provider.script(.success(.json(400, #"{"error":"invalid_grant"}"#)))
    #expect(await scene.instance().answer() == .failure(.needsReauthentication(.rotationInDoubt)))
    #expect(scene.provider.callCount == 1)
  }

  @Test("a token that arrives while the store is down serves at once, and is stored when the store is back")
  func storeDownAfterAnswer() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.think()
    let instance = scene.instance()
    async let answer = instance.answer()
    await eventually { scene.provider.callCount == 1 }
    scene.store.isDown = true
    scene.provider.answer()
    #expect(await answer == .success("Bearer token-1"))
    // Longer than the lease: another instance has taken it over, and was refused.
    await eventually { scene.time.sleeperCount == 1 }
    scene.store.isDown = false
    scene.store[Scene.key]?.epoch += 1
    scene.store[Scene.key]?.state = .needsReauthentication(.rotationInDoubt)
    scene.time.advance(by: .seconds(30))
    await instance.shutdown()
    #expect(scene.store[Scene.key]?.state == .active)
    #expect(try scene.record()?.accessToken == Secret("token-1"))
    #expect(scene.provider.callCount == 1)
  }

  @Test("in doubt, a strictly rotating provider is not asked again while the old token lives; others are", arguments: ProviderAuthorization.Rotation.allCases)
  func inDoubtButLive(_ rotation: ProviderAuthorization.Rotation) async throws {
    let scene = Scene(rotation: rotation)
    try await scene.connect()
    let instance = scene.instance()
    _ = await instance.answer()
    scene.time.advance(by: .seconds(3400))
    _ = try await scene.store.takeLease(on: Scene.key, generation: 1, for: .seconds(25))
    scene.time.advance(by: .seconds(25))
    #expect(await instance.answer() == .success("Bearer access-0"))
    await instance.shutdown()
    #expect(scene.provider.callCount == (rotation == .none || rotation == .grace ? 1 : 0))
    #expect(scene.store[Scene.key]?.state == .active)
  }

  @Test("a token without a refresh token serves to its end; then the user has to connect again")
  func noRefreshToken() async throws {
    let scene = Scene()
    try await scene.connect(refresh: nil)
    let instance = scene.instance()
    scene.time.advance(by: .seconds(3500))
    #expect(await instance.answer() == .success("Bearer access-0"))
    scene.time.advance(by: .seconds(100))
    #expect(await instance.answer() == .failure(.needsReauthentication(.noRefreshToken)))
    #expect(scene.provider.callCount == 0)
  }

  @Test("a provider that refuses Postern itself is asked once for all its connections; live tokens serve on, from memory and from the store")
  func incident() async throws {
    let scene = Scene()
    let names = ["bob", "carol", "dave"]
    func key(_ name: String) -> ConnectionKey { ConnectionKey(provider: "cloudvault", owner: .subject(Subject(name))) }
    for name in names { try await scene.connect("access-\(name)", lifetime: .seconds(60), as: key(name)) }
    try await scene.connect("access-live")
    scene.time.advance(by: .seconds(60))
    scene.provider.script(.success(.json(401, #"{"error":"invalid_client"}"#)))
    let instance = scene.instance()
    for name in names {
      #expect(await instance.answer(of: Subject(name)) == .failure(.refused(.invalidClient, retryAfter: .seconds(10))))
      #expect(scene.store[key(name)]?.state == .active)
    }
    #expect(await instance.answer() == .success("Bearer access-live"))
    #expect(scene.provider.callCount == 1)
    #expect(instance.incidents.map(\.refusal) == [.invalidClient])
    scene.time.advance(by: .seconds(10))
    for name in names { #expect(await instance.answer(of: Subject(name)) != .failure(.notConnected)) }
    #expect(instance.incidents.isEmpty)
  }

  @Test("200 callers wait 12 s for a provider that takes so long; who waits for less is told when to come back, and is served then")
  func slowProvider() async throws {
    let scene = Scene()
    try await scene.connect()
    scene.time.advance(by: .seconds(3600))
    scene.provider.think()
    var impatience = BrokerLimits()
    impatience.leaseWait = .seconds(3)
    let (instances, hasty) = ((0..<4).map { _ in scene.instance() }, scene.instance(limits: impatience))
    async let answers = withTaskGroup(of: Result<String, BrokerFailure>.self) { group in
      for number in 0..<200 { group.addTask { await instances[number % 4].answer() } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    await eventually { scene.provider.callCount == 1 && scene.time.sleeperCount == 3 }
    async let early = hasty.answer()
    for _ in 0..<12 {
      await eventually { scene.time.sleeperCount >= 3 }
      scene.time.advance(by: .seconds(1))
      for _ in 0..<20 { await Task.yield() }
    }
    guard case .failure(.unavailable(let pause)) = await early else {
      Issue.record("an answer out of nothing")
      return
    }
    #expect(pause > .zero)
    scene.provider.answer()
    await eventually { scene.store[Scene.key]?.generation == 2 }
    scene.time.advance(by: .seconds(25))
    #expect(await hasty.answer() == .success("Bearer token-1"))
    #expect(Set(await answers) == [.success("Bearer token-1")])
    #expect(scene.provider.callCount == 1)
  }

  @Test("a generation that is named as useless is replaced once, however many name it")
  func replacing() async throws {
    let scene = Scene()
    try await scene.connect()
    let instance = scene.instance()
    #expect(await instance.answer() == .success("Bearer access-0"))
    let tokens = try await withThrowingTaskGroup(of: Secret.self) { group in
      for _ in 0..<50 {
        group.addTask { try await instance.credential(for: "cloudvault", of: .subject(Scene.alice), replacing: 1).fieldValue }
      }
      return try await group.reduce(into: Set<Secret>()) { $0.insert($1) }
    }
    #expect(tokens == [Secret("Bearer token-1")])
    #expect(scene.provider.callCount == 1)
  }

  @Test("what is remembered is bounded, and forgetting costs the store one look, never the provider")
  func bounded() async throws {
    let scene = Scene()
    let instance = scene.instance(rememberedMax: 2)
    let subjects = (0..<5).map { Subject("user-\($0)") }
    for subject in subjects {
      try await scene.connect("access-\(subject)", as: ConnectionKey(provider: "cloudvault", owner: .subject(subject)))
    }
    for subject in subjects + subjects { #expect(await instance.answer(of: subject) == .success("Bearer access-\(subject)")) }
    #expect(scene.provider.callCount == 0)
  }
}

@Suite("The vault", .timeLimit(.minutes(1)))
struct ConnectionVaultTests {
  private func vault(_ scene: Scene, _ release: TokenRelease) -> ConnectionVault {
    var provider = Provider.connectable()
    provider.release = release
    return ConnectionVault(credentials: scene.instance(), providers: [provider], issuer: "https://auth.example")
  }

  private func release(_ vault: ConnectionVault, _ audience: String = "cloudvault") async -> Result<VaultToken, OAuthError> {
    do throws(OAuthError) {
      return .success(try await vault.release(audience, to: ClientID("agent"), for: Scene.alice))
    } catch {
      return .failure(error)
    }
  }

  @Test("RFC 8693 §2.2.1: the token itself, with the end that the provider named, refreshed if need be")
  func released() async throws {
    let scene = Scene()
    try await scene.connect()
    let vault = vault(scene, .tokenExchange)
    let end = scene.time.now + .seconds(3600)
    #expect(await release(vault) == .success(VaultToken(accessToken: Secret("access-0"), expiresAt: end)))
    scene.time.advance(by: .seconds(3600))
    #expect(await release(vault).map(\.accessToken) == .success(Secret("token-1")))
  }

  @Test("nothing is released of a provider that does not say so, of one that is not there, nor without a connection")
  func denied() async throws {
    let scene = Scene()
    try await scene.connect()
    for vault in [vault(scene, .never), vault(scene, .proxyOnly)] {
      guard case .failure(let error) = await release(vault) else { Issue.record("released"); continue }
      #expect(error.code == .invalidTarget)
    }
    guard case .failure(let unknown) = await release(vault(scene, .tokenExchange), "other") else {
      Issue.record("released")
      return
    }
    #expect(unknown.code == .invalidTarget)
    try await scene.store.revoke(Scene.key)
    guard case .failure(let error) = await release(vault(scene, .tokenExchange)) else {
      Issue.record("released")
      return
    }
    #expect(error.code == .invalidGrant && error.description.hasSuffix("https://auth.example/connect/cloudvault"))
    #expect(scene.provider.callCount == 0)
  }
}
