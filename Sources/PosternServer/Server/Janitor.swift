import Configuration
import EventLoop
import GatewayServer
import Logging
import OAuthCore
import PostgresStore
import Synchronization

/// Runs the maintenance of the database as long as the process lives.
final class Janitor: Sendable {
  private let pools: PoolGroup
  private let clock: SystemClock
  private let logger: Logger
  private let retention: Mutex<Retention>

  init(pools: PoolGroup, retention: Retention, clock: SystemClock, logger: Logger) {
    self.pools = pools
    self.clock = clock
    self.logger = logger
    self.retention = Mutex(retention)
  }

  /// Keeps rows for as long as another configuration wants, and still as long as the ones before: what they issued lives.
  func keep(_ wanted: Retention) { retention.withLock { $0 = $0.longest(with: wanted) } }

  func run() async {
    let maintenance = Maintenance(pools: pools, retention: retention.withLock { $0 }, logger: logger)
    _ = await maintenance.run(at: clock.now)
  }

  /// Runs every `Maintenance.interval`, until the task is cancelled.
  func repeatForever(on loop: EventLoop) async {
    while !Task.isCancelled {
      await loop.sleep(for: Maintenance.interval)
      await run()
    }
  }
}

extension Retention {
  /// What the configured lifetimes call for.
  init(_ configuration: Configuration) {
    let lifetimes = configuration.clients.compactMap(\.accessTokenLifetime) + [configuration.tokens.accessLifetime]
    self.init(
      accessTokenLifetimeMax: lifetimes.max() ?? .zero, familyLifetimeMax: configuration.tokens.refreshAbsolute,
      sessionLifetimeMax: BrowserSessions.lifetime)
  }

  fileprivate func longest(with other: Retention) -> Retention {
    Retention(
      accessTokenLifetimeMax: max(accessTokenLifetimeMax, other.accessTokenLifetimeMax),
      familyLifetimeMax: max(familyLifetimeMax, other.familyLifetimeMax),
      sessionLifetimeMax: max(sessionLifetimeMax, other.sessionLifetimeMax))
  }
}
