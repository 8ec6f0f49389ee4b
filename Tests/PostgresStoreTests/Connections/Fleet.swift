import Cryptography
import EventLoop
import Glibc
import OAuthCore
import PostgresStore
import Testing

@testable import Broker

/// Instances of the broker on one PostgreSQL, and a provider that counts.
struct Fleet: Sendable {
  let instances: [Instance]
  let provider: RotatingProvider
  let rotation: ProviderAuthorization.Rotation
  let brokers: [LiveCredentials]
  private let lease: Duration
  private let clock: any WallClock

  static let ring = try! KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))])

  init(
    _ instances: [Instance], rotation: ProviderAuthorization.Rotation, pause: Duration = .zero, concurrency: Int = 8,
    lease: Duration = .seconds(5), clock: any WallClock = RealClock()
  ) {
    self.instances = instances
    self.rotation = rotation
    self.lease = lease
    self.clock = clock
    let provider = RotatingProvider(rotation, pause: pause)
    self.provider = provider
    brokers = instances.map { Fleet.broker($0, rotation, provider, concurrency, lease, clock) }
  }

  /// One more instance, or one that is about to die.
  func another(over transport: (any ProviderTransport)? = nil) -> LiveCredentials {
    Fleet.broker(instances[0], rotation, transport ?? provider, 8, lease, clock)
  }

  private static func broker(
    _ instance: Instance, _ rotation: ProviderAuthorization.Rotation, _ transport: any ProviderTransport, _ concurrency: Int,
    _ lease: Duration, _ clock: any WallClock
  ) -> LiveCredentials {
    // Everything is shorter than in production, in the same order.
    var limits = BrokerLimits()
    limits.lease = lease
    limits.leaseWait = lease + .seconds(2)
    limits.transientPauseMin = .milliseconds(20)
    limits.refusalPauseMin = .milliseconds(20)
    limits.storePauseMin = .milliseconds(20)
    limits.endedPause = .milliseconds(10)
    return LiveCredentials(
      providers: [provider(rotation, concurrency: concurrency)],
      store: PostgresConnectionStore(pools: instance.pools, logger: silent), transport: transport, keyRing: ring,
      clock: clock, random: SystemRandom(), sleeper: RealSleeper(loop: instance.loops[0]), executor: instance.loops[0],
      observer: Silence(), limits: limits)
  }

  static func provider(_ rotation: ProviderAuthorization.Rotation, concurrency: Int = 8) -> Provider {
    var renewal = RenewalPolicy()
    renewal.concurrency = concurrency
    return Provider(
      id: ProviderID("box"), tokenEndpoint: EndpointURL("https://box.example/token")!,
      client: ProviderClient(id: "postern", secret: Secret("s3cret")), allowedHosts: ["box.example"],
      authorization: ProviderAuthorization(
        endpoint: EndpointURL("https://box.example/authorize")!, rotation: rotation, renewal: renewal))
  }

  var store: PostgresConnectionStore { PostgresConnectionStore(pools: instances[0].pools, logger: silent) }

  static func key(_ name: String = "alice") -> ConnectionKey {
    ConnectionKey(provider: ProviderID("box"), owner: .subject(Subject(name)))
  }

  /// Stores what a user has connected; its access token ends after `life` from now.
  func connect(_ name: String = "alice", life: Duration = .seconds(-1), hasRefreshToken: Bool = true) async throws {
    let now = RealClock().now
    let record = CredentialRecord(
      accessToken: Secret("access-\(name)"),
      refreshToken: hasRefreshToken ? Secret(provider.grant(to: name)) : nil, obtainedAt: now - .seconds(3600),
      expiresAt: now + life, fingerprint: Fleet.provider(rotation).fingerprint)
    let generation = try await store.prepare(Fleet.key(name)) + 1
    let sealed = CredentialSealer(ring: Fleet.ring).seal(record, of: Fleet.key(name), generation: generation)
    #expect(try await store.establish(sealed, of: Fleet.key(name), at: now - .seconds(3600)) == .stored)
  }

  /// What callers get, by how many of them.
  func ask(_ count: Int, of name: String = "alice") async -> [Result<String, BrokerFailure>: Int] {
    await withTaskGroup(of: Result<String, BrokerFailure>.self) { group in
      for number in 0..<count { group.addTask { await brokers[number % brokers.count].answer(Fleet.key(name)) } }
      return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
  }

  func state(_ name: String = "alice") async throws -> ConnectionState? { try await store.connection(Fleet.key(name))?.state }
}

extension LiveCredentials {
  func answer(_ key: ConnectionKey) async -> Result<String, BrokerFailure> {
    do throws(BrokerFailure) {
      return .success(try await credential(for: key.provider, of: key.owner).fieldValue.exposedText)
    } catch {
      return .failure(error)
    }
  }
}

struct RealClock: WallClock {
  var now: Timestamp { Timestamp(microseconds: Int64(currentMicroseconds())) }
}

private func currentMicroseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}

struct RealSleeper: Sleeper {
  let loop: EventLoop
  func sleep(for duration: Duration) async { await loop.sleep(for: duration) }
}

private struct Silence: BrokerObserver {
  func observe(_ event: BrokerEvent, of connection: ConnectionKey) {}
}
