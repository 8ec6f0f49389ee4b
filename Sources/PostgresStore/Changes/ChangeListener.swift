import EventLoop
import Logging
import OAuthCore
import PostgresClient
import Synchronization

/// Tells this process what others revoked or changed: reads the change log's tail when a notification comes, after each
/// reconnect, and once a second in any case, since through poolers no notification passes.
///
/// One per process. Observers hear of changes in the order of the log, on this listener's loop.
public final class ChangeListener: @unchecked Sendable {
  // SAFETY: confined to its loop, asserted at every entry, except `confirmedAt`, which is atomic.

  /// The channel that the trigger on `change_log` notifies.
  static let channel = "postern_change"
  /// How often the log is read without being asked to.
  public static let pollInterval: Duration = .seconds(1)
  /// After a longer silence the log's tail may have been dropped (`PartitionedTable.changeLog` keeps it longer).
  static let silenceMax: Duration = .seconds(12 * 3600)

  private let loop: EventLoop
  private let reader: ChangeLogReader
  private let configuration: PostgresConfiguration
  private let observers: [any ChangeObserver]
  private let logger: Logger
  private let confirmedAt = Atomic<Int64>(.min)

  private var listener: PostgresListener?
  private var position: ChangeLogReader.Position?
  private var isReading = false
  private var mustReadAgain = false
  private var isFailing = false
  private var isStopped = false

  /// - Parameters:
  ///   - pool: of `loop`.
  ///   - configuration: for the connection that listens.
  public init(
    loop: EventLoop, pool: PostgresPool, configuration: PostgresConfiguration, observers: [any ChangeObserver],
    logger: Logger
  ) {
    self.loop = loop
    reader = ChangeLogReader(pool: pool)
    self.configuration = configuration
    self.observers = observers
    self.logger = logger
  }

  /// Up to when everything that was committed is known here: the loop clock's nanoseconds (`EventLoop.now`), from any
  /// thread. `Int64.min` before the log was first read.
  public var lastConfirmed: Int64 { confirmedAt.load(ordering: .acquiring) }

  /// Whether everything that was committed `staleness` before `now` is known here. What is cached must not be believed
  /// when not.
  ///
  /// - Parameter now: `EventLoop.now` of any loop.
  public func isCurrent(within staleness: Duration, at now: Int64) -> Bool {
    let confirmed = lastConfirmed
    return confirmed != .min && now - confirmed <= staleness.nanoseconds
  }

  public func start() {
    loop.assertInLoop()
    precondition(listener == nil, "a change listener starts once")
    let listener = PostgresListener(
      loop: loop, configuration: configuration, channels: [Self.channel], logger: logger,
      onConnected: { [weak self] in self?.read() },
      onLost: {},
      onNotification: { [weak self] _, _ in self?.read() })
    self.listener = listener
    listener.start()
    poll()
  }

  public func stop() {
    loop.assertInLoop()
    isStopped = true
    listener?.close()
  }

  private func poll() {
    guard !isStopped else { return }
    read()
    loop.schedule(after: Self.pollInterval) { [weak self] in self?.poll() }
  }

  /// Notifications that come while the log is being read are answered by one more reading.
  private func read() {
    guard !isStopped else { return }
    guard !isReading else {
      mustReadAgain = true
      return
    }
    isReading = true
    loop.task { await self.readUntilQuiet() }
  }

  private func readUntilQuiet() async {
    repeat {
      mustReadAgain = false
      // Before the snapshot is taken: what commits later is not claimed to be known.
      let startedAt = loop.now
      do {
        try await readOnce(at: startedAt)
        confirmedAt.store(startedAt, ordering: .releasing)
        isFailing = false
      } catch {
        if !isFailing { logger.warning("the change log cannot be read: \(error.debugDescription)") }
        isFailing = true
      }
    } while mustReadAgain && !isStopped
    isReading = false
  }

  private func readOnce(at now: Int64) async throws(PostgresError) {
    guard let position, isCurrent(within: Self.silenceMax, at: now) else {
      self.position = try await reader.position()
      for observer in observers { observer.forgetEverything() }
      return
    }
    let (tail, next) = try await reader.tail(after: position)
    self.position = next
    switch tail {
    case .changes([]): break
    case .changes(let changes): for observer in observers { observer.apply(changes) }
    case .unknown: for observer in observers { observer.forgetEverything() }
    }
  }
}
