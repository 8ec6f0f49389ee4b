import EventLoop
import Logging

/// The connections of one loop, and the queue before them.
///
/// Statements of one turn of the loop go out together; each is its own transaction. Cancelling the task of a caller does not
/// cancel its statement: the answer comes within `statementTimeout` anyway, and the pipeline stays in step.
/// The loop keeps the connections alive, so a pool must be closed before it is dropped.
public final class PostgresPool: ConnectionKeeperOwner, @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  /// How often waiting requests and silent connections are looked at, while there are any.
  private static let tickInterval: Duration = .milliseconds(100)
  /// The server ends a statement by itself; an answer that is later than this is lost.
  private static let answerSlack: Duration = .seconds(2)
  /// How long `close` waits for answers.
  private static let drainTimeout: Duration = .seconds(5)

  /// A transaction that waits for a connection of its own.
  private struct Reservation {
    let enqueuedAt: Int64
    let continuation: UnsafeContinuation<Result<WireConnection, PostgresError>, Never>
  }

  public let loop: EventLoop
  let configuration: PostgresConfiguration
  private let logger: Logger
  private var keepers: [ConnectionKeeper] = []
  private var queue = RingBuffer<Request>()
  private var reservations = RingBuffer<Reservation>()
  private var isTicking = false
  private var isClosed = false
  /// Who waits in `close`, and the timer that ends the wait.
  private var drain: (continuation: UnsafeContinuation<Void, Never>, timer: TimerToken)?

  public init(loop: EventLoop, configuration: PostgresConfiguration, logger: Logger) {
    precondition(configuration.connectionsPerLoop > 0, "a pool has at least one connection")
    self.loop = loop
    self.configuration = configuration
    self.logger = logger
  }

  /// Begins to connect, and keeps at it. Statements may be issued at once; they wait up to `availabilityWait`.
  public func start() {
    loop.assertInLoop()
    precondition(keepers.isEmpty, "a pool starts once")
    let connector = Connector(configuration)
    keepers = (0..<configuration.connectionsPerLoop).map { _ in
      ConnectionKeeper(loop: loop, connector: connector, logger: logger, owner: self)
    }
    for keeper in keepers { keeper.start() }
  }

  /// Refuses new statements, waits a bounded time for those under way, and closes the connections.
  public func close() async {
    loop.assertInLoop()
    guard !isClosed else { return }
    isClosed = true
    failWaiting(.closed)
    if keepers.contains(where: { ($0.wire?.inFlightCount ?? 0) > 0 }) {
      await withUnsafeContinuation { continuation in
        drain = (continuation, loop.schedule(after: Self.drainTimeout) { [self] in endDrain() })
      }
    }
    for keeper in keepers { keeper.close() }
  }

  /// Whether a connection is up. Read on the loop.
  public var isAvailable: Bool {
    loop.assertInLoop()
    return keepers.contains { $0.wire != nil }
  }

  // MARK: Statements

  /// Runs `statement` as a transaction of its own and returns its rows.
  ///
  /// - Throws: `.unavailable` when no connection comes up in time, or when the one in use was lost: then the statement
  ///   may have taken effect, and the caller decides. `.overloaded`, `.timeout`, `.server`, `.closed`.
  public func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue] = []
  ) async throws(PostgresError) -> PostgresRows {
    loop.assertInLoop()
    return try await withUnsafeContinuation { continuation in
      submit(statement, parameters, .task(continuation))
    }.get()
  }

  /// `query` for those who are not a task.
  func submit(_ statement: PreparedStatement, _ parameters: [PostgresValue], _ completion: Request.Completion) {
    loop.assertInLoop()
    let request = Request(
      work: .statement(statement, parameters), enqueuedAt: loop.now, completion: completion, mayResend: true)
    submit(request)
  }

  private func submit(_ request: Request) {
    guard !isClosed else { return request.resume(.failure(.closed)) }
    startTicking()
    if queue.isEmpty, let wire = leastLoaded() { return wire.send(request) }
    guard queue.count < configuration.queueCountMax else { return request.resume(.failure(.overloaded)) }
    queue.append(request)
  }

  private func leastLoaded() -> WireConnection? {
    var best: WireConnection?
    for keeper in keepers {
      guard let wire = keeper.wire, wire.isOpen, !wire.isReserved else { continue }
      guard wire.inFlightCount < configuration.inFlightCountMax else { continue }
      if best.map({ wire.inFlightCount < $0.inFlightCount }) ?? true { best = wire }
    }
    return best
  }

  /// Gives waiting work to connections with room.
  private func dispatch() {
    while !reservations.isEmpty, let wire = reservable() {
      wire.isReserved = true
      reservations.popFirst()?.continuation.resume(returning: .success(wire))
    }
    while !queue.isEmpty, let wire = leastLoaded() {
      if let request = queue.popFirst() { wire.send(request) }
    }
    if drain != nil, keepers.allSatisfy({ ($0.wire?.inFlightCount ?? 0) == 0 }) { endDrain() }
  }

  private func endDrain() {
    guard let (continuation, timer) = drain.take() else { return }
    loop.cancel(timer)
    continuation.resume()
  }

  // MARK: Transactions

  /// Runs `body` in a transaction, on a connection that nobody else uses meanwhile, and commits.
  ///
  /// Rolls back when `body` throws or one of its statements failed. One connection of the pool is always left to others, if
  /// there are two; `body` itself must not wait for anything but its own connection.
  ///
  /// - Throws: what `body` throws; `.unavailable` when the connection was lost: if that was at the commit, it may have
  ///   taken effect.
  public func transaction<T: Sendable>(
    _ body: (PostgresConnection) async throws(PostgresError) -> T
  ) async throws(PostgresError) -> T {
    let wire = try await reserve()
    defer {
      wire.isReserved = false
      dispatch()
    }
    let connection = PostgresConnection(loop: loop, wire: wire)
    defer { connection.end() }
    _ = try await connection.query(Self.begin)
    let result: T
    do throws(PostgresError) {
      result = try await body(connection)
      if let failure = connection.failure { throw failure }
    } catch {
      // A connection whose transaction cannot be ended must not serve others.
      if await connection.run(Self.rollback).isFailure { wire.abandon(reason: "a rollback failed") }
      throw error
    }
    _ = try await connection.query(Self.commit)
    return result
  }

  private static let begin = PreparedStatement("BEGIN")
  private static let commit = PreparedStatement("COMMIT")
  private static let rollback = PreparedStatement("ROLLBACK")

  private func reserve() async throws(PostgresError) -> WireConnection {
    loop.assertInLoop()
    guard !isClosed else { throw .closed }
    if reservations.isEmpty, let wire = reservable() {
      wire.isReserved = true
      startTicking()
      return wire
    }
    guard reservations.count < configuration.queueCountMax else { throw .overloaded }
    startTicking()
    return try await withUnsafeContinuation { continuation in
      reservations.append(Reservation(enqueuedAt: loop.now, continuation: continuation))
    }.get()
  }

  private func reservable() -> WireConnection? {
    let reserved = keepers.count { $0.wire?.isReserved == true }
    guard reserved < max(1, keepers.count - 1) else { return nil }
    return leastLoaded()
  }

  // MARK: Time

  private func startTicking() {
    guard !isTicking else { return }
    isTicking = true
    loop.schedule(after: Self.tickInterval) { [self] in tick() }
  }

  private func tick() {
    isTicking = false
    failOverdue()
    if configuration.statementTimeout > .zero {
      for keeper in keepers { keeper.wire?.loseIfSilent(for: configuration.statementTimeout + Self.answerSlack) }
    }
    let isBusy = keepers.contains { ($0.wire?.inFlightCount ?? 0) > 0 }
    if isBusy || !queue.isEmpty || !reservations.isEmpty { startTicking() }
  }

  private func failOverdue() {
    let limit: Duration
    let failure: PostgresError
    if isAvailable {
      guard configuration.statementTimeout > .zero else { return }
      (limit, failure) = (configuration.statementTimeout, .timeout)
    } else {
      (limit, failure) = (configuration.availabilityWait, .unavailable)
    }
    let oldest = loop.now - limit.nanoseconds
    while let request = queue.first, request.enqueuedAt < oldest { queue.popFirst()?.resume(.failure(failure)) }
    while let reservation = reservations.first, reservation.enqueuedAt < oldest {
      reservations.popFirst()?.continuation.resume(returning: .failure(failure))
    }
  }

  private func failWaiting(_ failure: PostgresError) {
    while let request = queue.popFirst() { request.resume(.failure(failure)) }
    while let reservation = reservations.popFirst() { reservation.continuation.resume(returning: .failure(failure)) }
  }

  // MARK: ConnectionKeeperOwner

  func connectionUp(_ keeper: ConnectionKeeper) { dispatch() }
  func connectionDown(_ keeper: ConnectionKeeper) { dispatch() }
  func connectionHasRoom(_ keeper: ConnectionKeeper) { dispatch() }
  func connection(_ keeper: ConnectionKeeper, returns request: Request) { submit(request) }
  func connection(_ keeper: ConnectionKeeper, received payload: String, on channel: String) {}
}

extension Result {
  fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
