import Broker
import Cryptography
import OAuthCore
import PosternTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ServiceCredentialsTests {
  private let time = ManualTime()
  private let provider = ScriptedProvider()
  private let store: InMemoryConnectionStore

  init() { store = InMemoryConnectionStore(clock: time) }

  private func instance(_ providers: [Provider] = [.cloudVault()], keyRing: KeyRing = .test) -> Instance {
    Instance(providers, store: store, provider: provider, time: time, keyRing: keyRing)
  }

  /// Asks for a token; on return the provider has been called, and thinks until it is told to answer.
  private func asking(_ instance: Instance) async -> Task<String, any Error> {
    instance.provider.think()
    let token = Task { try await instance.token() }
    await eventually { instance.provider.callCount == 1 }
    return token
  }

  // MARK: Refusals and failures

  @Test("A provider that is not configured is refused without a call")
  func unknownProvider() async {
    #expect(await instance().failure("nobody") == .unknownProvider)
    #expect(provider.callCount == 0)
  }

  @Test("RFC 6749 §5.2: invalid_client is told to callers as the provider's refusal, and not asked again at once")
  func refusal() async {
    provider.script(.success(.json(401, #"{"error":"invalid_client"}"#)))
    let instance = instance()
    #expect(await instance.failure() == .refused(.invalidClient, retryAfter: .seconds(10)))
    time.advance(by: .seconds(4))
    #expect(await instance.failure() == .refused(.invalidClient, retryAfter: .seconds(6)))
    #expect(provider.callCount == 1)
  }

  @Test("A new client secret ends the pause after a refusal")
  func reopening() async throws {
    provider.script(.success(.json(401, #"{"error":"invalid_client"}"#)))
    let instance = instance()
    _ = await instance.failure()
    instance.credentials.reconfigure([.cloudVault(secret: "rotated")])
    let pending = Task { try await instance.credentials.credential(for: "cloudvault") }
    // The lease was closed for the other instances as well; it opens with the pause.
    await eventually { time.sleeperCount == 1 }
    time.advance(by: .seconds(11))
    #expect(try await pending.value.fieldValue == Secret("Bearer token-2"))
  }

  @Test("Storm guard: a hundred callers after a failure cause no call until the pause is over")
  func stormGuard() async throws {
    provider.script(.failure(.timeout), .failure(.connect))
    let instance = instance()
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(1)))
    for _ in 0..<100 { #expect(await instance.failure() == .unavailable(retryAfter: .seconds(1))) }
    #expect(provider.callCount == 1)
    time.advance(by: .seconds(1))
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(2)))
    time.advance(by: .seconds(2))
    #expect(try await instance.token() == "Bearer token-3")
  }

  @Test("RFC 9110 §10.2.3: the provider's Retry-After is kept")
  func retryAfter() async {
    provider.script(.success(.json(429, "{}", retryAfter: "120")))
    let instance = instance()
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(120)))
    time.advance(by: .seconds(119))
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(1)))
    #expect(provider.callCount == 1)
  }

  @Test("While the old token lives a failing provider is invisible; after its end it is not")
  func failureWhileLive() async throws {
    let instance = instance()
    #expect(try await instance.token() == "Bearer token-1")
    provider.script(.failure(.tls), .failure(.tls))
    time.advance(by: .seconds(3300))
    #expect(try await instance.token() == "Bearer token-1")
    await eventually { instance.events.events.contains { if case .failed = $0 { true } else { false } } }
    #expect(try await instance.token() == "Bearer token-1")
    #expect(provider.callCount == 2)
    time.advance(by: .seconds(290))
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(2)))
  }

  @Test("What a caller is told holds no secret")
  func silence() async {
    provider.script(.success(.json(400, #"{"error":"s3cret","error_description":"s3cret"}"#)))
    let instance = instance()
    let failure = await instance.failure()
    #expect(failure != nil)
    #expect(!"\(String(reflecting: failure)) \(instance.events.events)".contains("s3cret"))
    #expect(!"\(String(reflecting: provider.requests[0]))".contains("s3cret"))
  }

  // MARK: One call

  @Test("Two hundred callers at once cause one call of the provider, with the store up or down", arguments: [false, true])
  func collapse(isDown: Bool) async throws {
    store.isDown = isDown
    provider.think()
    let instance = instance()
    let tokens = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<200 { group.addTask { try await instance.token() } }
      await eventually { provider.callCount > 0 }
      provider.answer()
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(tokens == ["Bearer token-1"])
    #expect(provider.callCount == 1)
    #expect(instance.events.events.count { $0 == .obtained } == 1)
  }

  @Test("A caller that goes away does not end the renewal that it started")
  func impatience() async throws {
    let instance = instance()
    let caller = await asking(instance)
    caller.cancel()
    provider.answer()
    await eventually { store.row("cloudvault")?.generation == 1 }
    #expect(try await instance.token() == "Bearer token-1")
    #expect(provider.callCount == 1)
  }

  @Test("A live token is served from memory, and renewed once past the soft margin")
  func renewal() async throws {
    let instance = instance()
    _ = try await instance.token()
    await instance.settle(store, generation: 1)
    time.advance(by: .seconds(3239))
    #expect(try await instance.token() == "Bearer token-1")
    #expect(provider.callCount == 1)
    time.advance(by: .seconds(1))
    #expect(try await instance.token() == "Bearer token-1")
    await instance.settle(store, generation: 2)
    #expect(try await instance.token() == "Bearer token-2")
    #expect(provider.callCount == 2)
  }

  @Test("Two instances on one store make one call; the other waits for its result")
  func twoInstances() async throws {
    let first = instance()
    let second = instance()
    let firstToken = await asking(first)
    let secondToken = Task { try await second.token() }
    await eventually { time.sleeperCount == 1 }
    provider.answer()
    #expect(try await firstToken.value == "Bearer token-1")
    await first.settle(store, generation: 1)
    time.advance(by: .seconds(1))
    #expect(try await secondToken.value == "Bearer token-1")
    #expect(provider.callCount == 1)
    #expect(second.events.events == [.adopted(generation: 1)])
  }

  @Test("A restarted instance reads the sealed token instead of calling the provider")
  func restart() async throws {
    let first = instance()
    _ = try await first.token()
    await first.credentials.shutdown()
    #expect(try await instance().token() == "Bearer token-1")
    #expect(provider.callCount == 1)
  }

  // MARK: Lease and epoch

  @Test("After a crash the lease runs out, another instance takes over, and the epoch fences the late first")
  func fencing() async throws {
    let stuck = ScriptedProvider()
    stuck.script(.success(.token("late")))
    let first = Instance(store: store, provider: stuck, time: time)
    let late = await asking(first)

    let second = instance()
    let successor = Task { try await second.token() }
    await eventually { time.sleeperCount == 1 }
    time.advance(by: .seconds(24))
    await eventually { time.sleeperCount == 1 }
    #expect(provider.callCount == 0)
    time.advance(by: .seconds(2))
    #expect(try await successor.value == "Bearer token-1")
    await second.settle(store, generation: 1)
    let row = store.row("cloudvault")?.credential

    stuck.answer()
    #expect(try await late.value == "Bearer late")
    await first.credentials.shutdown()
    #expect(store.commitOutcomes == [.stored, .superseded])
    #expect(store.row("cloudvault")?.credential == row)
  }

  @Test("Waiting for another instance is bounded")
  func leaseWait() async throws {
    let stuck = ScriptedProvider()
    let late = await asking(Instance(store: store, provider: stuck, time: time))
    let second = instance()
    let waiting = Task { await second.failure() }
    for _ in 0..<2 {
      await eventually { time.sleeperCount == 1 }
      // Somebody keeps the lease alive for ever.
      store.extendLease(of: "cloudvault", to: time.now + .seconds(24))
      time.advance(by: .seconds(15))
    }
    #expect(await waiting.value == .unavailable(retryAfter: .seconds(9)))
    #expect(provider.callCount == 0)
    stuck.answer()
    _ = try await late.value
  }

  // MARK: Sealing

  @Test("The store sees no token, and a credential opens neither in another row nor in another generation")
  func sealing() async throws {
    let providers: [Provider] = [.cloudVault(), .cloudVault("other")]
    let first = instance(providers)
    _ = try await first.token()
    await first.credentials.shutdown()
    let stored = try #require(store.row("cloudvault")?.credential)
    #expect(!String(decoding: stored.sealed, as: UTF8.self).contains("token-1"))

    store.setCredential(stored, of: "other")
    let second = instance(providers)
    #expect(try await second.token("other") == "Bearer token-2")

    store.setCredential(StoredCredential(generation: 9, sealed: stored.sealed, expiresAt: stored.expiresAt), of: "cloudvault")
    #expect(try await second.token() == "Bearer token-3")
    #expect(second.events.events.contains(.unreadable(generation: 1)))
    #expect(second.events.events.contains(.unreadable(generation: 9)))
  }

  @Test("A token that was asked for with other scopes is not used")
  func changedScopes() async throws {
    let first = instance()
    _ = try await first.token()
    first.credentials.reconfigure([.cloudVault(scopes: ["read_photos", "write_photos"])])
    #expect(try await first.token() == "Bearer token-2")
    await first.settle(store, generation: 2)
    #expect(try await instance().token() == "Bearer token-3")
  }

  // MARK: Store down

  @Test("With the store down a token is obtained and served at once, and stored when the store is back")
  func storeDown() async throws {
    store.isDown = true
    let instance = instance()
    #expect(try await instance.token() == "Bearer token-1")
    await eventually { time.sleeperCount == 1 }
    store.isDown = false
    time.advance(by: .seconds(1))
    await instance.settle(store, generation: 1)
    #expect(try await self.instance().token() == "Bearer token-1")
    #expect(provider.callCount == 1)
  }

  @Test("A token received before the store went down is committed under its lease when it is back")
  func storeLostBetween() async throws {
    let instance = instance()
    let token = await asking(instance)
    store.isDown = true
    provider.answer()
    #expect(try await token.value == "Bearer token-1")
    await eventually { time.sleeperCount == 1 }
    store.isDown = false
    // The lease has run out meanwhile; nobody else took it, so the commit still holds.
    time.advance(by: .seconds(60))
    await instance.settle(store, generation: 1)
  }

  @Test("With the store down, what memory has is served")
  func memoryOutlivesStore() async throws {
    let instance = instance()
    _ = try await instance.token()
    store.isDown = true
    for _ in 0..<10 { #expect(try await instance.token() == "Bearer token-1") }
    #expect(provider.callCount == 1)
  }

  // MARK: Shutdown

  @Test("Shutdown waits until a received token is stored, and starts nothing")
  func drain() async throws {
    let instance = instance()
    let token = await asking(instance)
    let isDrained = Atomic(false)
    async let shutdown: Void = {
      await instance.credentials.shutdown()
      isDrained.store(true, ordering: .sequentiallyConsistent)
    }()
    for _ in 0..<100 { await Task.yield() }
    let wasDrained = isDrained.load(ordering: .sequentiallyConsistent)
    #expect(!wasDrained)
    provider.answer()
    await shutdown
    #expect(store.row("cloudvault")?.generation == 1)
    #expect(try await token.value == "Bearer token-1")
    time.advance(by: .seconds(3600))
    #expect(await instance.failure() == .unavailable(retryAfter: .seconds(1)))
    #expect(provider.callCount == 1)
  }

  @Test("Shutdown does not wait for the renewal of another instance")
  func drainWithoutOthers() async throws {
    let stuck = ScriptedProvider()
    let late = await asking(Instance(store: store, provider: stuck, time: time))
    let second = instance()
    let waiting = Task { await second.failure() }
    await eventually { time.sleeperCount == 1 }
    // A hundred turns are enough for `shutdown` to have said so.
    let shutdown = Task { await second.credentials.shutdown() }
    for _ in 0..<100 { await Task.yield() }
    time.advance(by: .seconds(1))
    await shutdown.value
    #expect(await waiting.value == .unavailable(retryAfter: .seconds(24)))
    stuck.answer()
    _ = try await late.value
  }

  @Test("Shutdown gives up on a store that stays down after a few tries")
  func drainWithoutStore() async throws {
    store.isDown = true
    let instance = instance()
    _ = try await instance.token()
    let shutdown = Task { await instance.credentials.shutdown() }
    let observer = Task {
      while !instance.events.events.contains(.notStored) {
        if time.sleeperCount > 0 { time.advance(by: .seconds(5)) }
        await Task.yield()
      }
    }
    await shutdown.value
    await observer.value
    #expect(store.row("cloudvault") == nil)
  }
}

extension Instance {
  func settle(_ store: InMemoryConnectionStore, generation: Int64) async {
    await eventually { store.row("cloudvault")?.generation == generation }
    await eventually { events.events.contains(.stored(generation: generation)) }
  }
}
