import EventLoop
import OAuthCore
import PosternTesting
import PostgresStore
import Synchronization
import Testing

@Suite("Caching client directory")
struct CachingClientDirectoryTests {
  private let clock = ManualClock()
  private let source = ScriptedSource()

  private func directory(configured: [Client] = []) -> CachingClientDirectory<ScriptedSource> {
    CachingClientDirectory(configured: configured, source: source, clock: clock)
  }

  @Test("the configuration's clients win, and cost no query")
  func configuredWins() async throws {
    source.set(client("a", name: "of the database"))
    let directory = directory(configured: [client("a", name: "configured")])
    try await onLoop {
      let before = try await directory.client(ClientID("a"))
      #expect(before?.name == "configured")
      directory.replaceConfigured([])
      let after = try await directory.client(ClientID("a"))
      #expect(after?.name == "of the database")
    }
    #expect(source.queries.count == 1)
  }

  @Test("a client is read once, until the change log names it")
  func purge() async throws {
    source.set(client("a", name: "before"))
    source.set(client("b", name: "b"))
    let directory = directory()
    try await onLoop {
      for id in ["a", "b", "a", "b"] { _ = try await directory.client(ClientID(id)) }
      #expect(source.queries.count == 2)
      source.set(client("a", name: "after"))
      directory.apply([.clientChanged(ClientID("a")), .accountChanged(Subject("b"))])
      #expect(try await directory.client(ClientID("a"))?.name == "after")
      #expect(try await directory.client(ClientID("b"))?.name == "b")
      #expect(source.queries.count == 3)
      directory.forgetEverything()
      _ = try await directory.client(ClientID("b"))
      #expect(source.queries.count == 4)
    }
  }

  @Test("concurrent misses collapse: one query while one is under way, whatever is asked")
  func collapse() async throws {
    source.set(client("a", name: "a"))
    source.isHeld = true
    let directory = directory()
    try await onLoop { loop in
      try await withThrowingTaskGroup(of: Client?.self) { group in
        group.addTask { try await directory.client(ClientID("a")) }
        #expect(await eventually(loop) { source.queries.count == 1 })
        for number in 0..<200 {
          group.addTask { try await directory.client(ClientID(number.isMultiple(of: 2) ? "a" : "unknown-\(number)")) }
        }
        // Everyone waits by the time the first answer comes.
        await loop.sleep(for: .milliseconds(1))
        source.isHeld = false
        let found = try await group.reduce(into: 0) { $0 += $1 == nil ? 0 : 1 }
        #expect(found == 101)
      }
    }
    #expect(source.queries.count == 2)
    #expect(source.queries.last?.count == 100)
  }

  @Test("an unknown id is asked about once in a while, and a name that cannot be stored never")
  func absences() async throws {
    let directory = directory()
    try await onLoop {
      for _ in 0..<10 {
        for id in ["ghost", "nul\0", String(repeating: "x", count: 257)] {
          #expect(try await directory.client(ClientID(id)) == nil)
        }
      }
      #expect(source.queries == [[ClientID("ghost")]])
      source.set(client("ghost", name: "registered since"))
      directory.apply([.clientChanged(ClientID("ghost"))])
      #expect(try await directory.client(ClientID("ghost")) != nil)
      clock.advance(by: .seconds(3600))
      _ = try await directory.client(ClientID("ghost"))
      #expect(source.queries.count == 3)
    }
  }

  @Test("who asks after a change gets no answer read before it")
  func changeDuringQuery() async throws {
    source.set(client("a", name: "before"))
    source.isHeld = true
    let directory = directory()
    try await onLoop { loop in
      async let early = directory.client(ClientID("a"))
      #expect(await eventually(loop) { source.queries.count == 1 })
      source.set(client("a", name: "after"))
      directory.apply([.clientChanged(ClientID("a"))])
      async let late = directory.client(ClientID("a"))
      await loop.sleep(for: .milliseconds(1))
      source.isHeld = false
      let names = try await [early?.name, late?.name]
      #expect(names == ["after", "after"])
      #expect(try await directory.client(ClientID("a"))?.name == "after")
    }
  }

  @Test("nothing is believed for longer than a revocation may go unheard, also while no change is heard of at all")
  func silentFeed() async throws {
    source.set(client("a", name: "before"))
    let directory = directory()
    try await onLoop {
      _ = try await directory.client(ClientID("a"))
      source.set(client("a", name: "after"))
      clock.advance(by: .milliseconds(1_999))
      #expect(try await directory.client(ClientID("a"))?.name == "before")
      clock.advance(by: .milliseconds(1))
      #expect(try await directory.client(ClientID("a"))?.name == "after")
      source.failure = .unavailable
      clock.advance(by: .seconds(2))
      await #expect(throws: StoreFailure.unavailable) { try await directory.client(ClientID("a")) }
    }
  }

  @Test("a secret that ends ends what is remembered of its client")
  func secretExpiry() async throws {
    source.set(client("a", name: "a"), secretExpiresAt: clock.now + .seconds(1))
    let directory = directory()
    try await onLoop {
      _ = try await directory.client(ClientID("a"))
      clock.advance(by: .milliseconds(999))
      _ = try await directory.client(ClientID("a"))
      #expect(source.queries.count == 1)
      clock.advance(by: .milliseconds(1))
      _ = try await directory.client(ClientID("a"))
      #expect(source.queries.count == 2)
    }
  }

  @Test("a failure is told to everyone who waits, and is not remembered")
  func failure() async throws {
    source.set(client("a", name: "a"))
    source.failure = .unavailable
    let directory = directory()
    try await onLoop {
      await #expect(throws: StoreFailure.unavailable) { try await directory.client(ClientID("a")) }
      source.failure = nil
      let found = try await directory.client(ClientID("a"))
      #expect(found != nil)
    }
  }

  private func client(_ id: String, name: String) -> Client {
    Client(id: ClientID(id), name: name, authentication: .none, grants: [])
  }

  private func onLoop(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await onLoop { _ in try await body() }
  }

  private func onLoop(_ body: @escaping @Sendable (EventLoop) async throws -> Void) async throws {
    let group = try EventLoopGroup(count: 1)
    group.start()
    defer { group.stop() }
    let loop = group.loops[0]
    try await loop.task { () async -> Result<Void, any Error> in
      do { return .success(try await body(loop)) } catch { return .failure(error) }
    }.value.get()
  }
}

/// Answers when it may, and writes down what it was asked.
private final class ScriptedSource: ClientSource {
  private struct State {
    var clients: [ClientID: RegisteredClient] = [:]
    var queries: [[ClientID]] = []
    var isHeld = false
    var failure: StoreFailure?
  }

  private let state = Mutex(State())

  var queries: [[ClientID]] { state.withLock { $0.queries } }

  /// While set, no query is answered.
  var isHeld: Bool {
    get { state.withLock { $0.isHeld } }
    set { state.withLock { $0.isHeld = newValue } }
  }

  var failure: StoreFailure? {
    get { state.withLock { $0.failure } }
    set { state.withLock { $0.failure = newValue } }
  }

  func set(_ client: Client, secretExpiresAt: Timestamp? = nil) {
    state.withLock {
      $0.clients[client.id] = RegisteredClient(
        client: client, createdAt: Timestamp(seconds: 0), secretExpiresAt: secretExpiresAt)
    }
  }

  func clients(_ ids: [ClientID], at now: Timestamp) async throws(StoreFailure) -> [RegisteredClient] {
    // Read when the query starts, as a snapshot is.
    let (found, failure) = state.withLock { state in
      state.queries.append(ids)
      return (ids.compactMap { state.clients[$0] }, state.failure)
    }
    while isHeld { await EventLoop.current?.sleep(for: .milliseconds(1)) }
    if let failure { throw failure }
    return found
  }
}
