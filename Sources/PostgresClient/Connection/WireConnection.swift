import CLibPQ
import EventLoop

/// Hears from a `WireConnection`. Called on its loop.
protocol WireConnectionOwner: AnyObject {
  /// An answer came: there is room for one more request.
  func wireHasRoom(_ wire: WireConnection)
  /// The request ran nothing and may be sent again.
  func wire(_ wire: WireConnection, returns request: Request)
  func wire(_ wire: WireConnection, received payload: String, on channel: String)
  /// The connection is gone; what was under way has failed. Called once, not after `close`.
  func wireLost(_ wire: WireConnection, reason: String)
}

/// One established connection in libpq's pipeline mode, driven by its loop.
///
/// Each statement is followed by its own sync, so it is its own transaction and fails alone.
///
/// Source: PostgreSQL documentation, "Pipeline Mode" and "Asynchronous Command Processing".
final class WireConnection: ReadinessHandler, @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  /// A request that was sent, in the order of its answer.
  private struct Exchange {
    let request: Request
    let variantName: String
    /// A prepare goes before the statement itself, in the same sync.
    let isPreparing: Bool
  }

  /// What has come so far of the first exchange's answer.
  private struct Partial {
    var resultCount = 0
    var failure: PostgresError?
    var rows: PostgresRows?
    var mustClose = false
  }

  private let loop: EventLoop
  private weak var owner: (any WireConnectionOwner)?
  /// nil once closed.
  private var handle: OpaquePointer?
  private var registration: Registration?
  private var inFlight = RingBuffer<Exchange>()
  private var partial = Partial()
  private var prepared = PreparedNames()
  /// Why prepares failed that statements under way may still count on, by name.
  private var failedPrepares: [String: PostgresError] = [:]
  private var buffer = ParameterBuffer()
  private var isFlushScheduled = false
  private var wantsWritable = false
  /// When the last answer came, or the first request was sent after idleness. Monotonic nanoseconds.
  private var lastProgress: Int64 = 0
  /// Held by a transaction: nobody else may send.
  var isReserved = false

  var inFlightCount: Int { inFlight.count }
  var isOpen: Bool { handle != nil }

  /// Takes over an established connection.
  init(loop: EventLoop, established: EstablishedConnection, owner: any WireConnectionOwner) throws(SystemCallError) {
    loop.assertInLoop()
    self.loop = loop
    self.owner = owner
    let handle = established.pointer
    guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
      PQfinish(handle)
      throw SystemCallError("PQenterPipelineMode", errno: 0)
    }
    self.handle = handle
    super.init()
    do {
      registration = try loop.register(PQsocket(handle), for: .readable, handler: self)
    } catch {
      PQfinish(handle)
      self.handle = nil
      throw error
    }
  }

  deinit {
    // The loop keeps what is registered alive, so a connection that dies here was closed or never registered.
    if let handle { PQfinish(handle) }
  }

  // MARK: Sending

  /// Sends `request` with what else this turn of the loop sends.
  func send(_ request: Request) {
    loop.assertInLoop()
    guard let handle else { return request.resume(.failure(.unavailable)) }
    if inFlight.isEmpty { lastProgress = loop.now }
    let isSent =
      switch request.work {
      case .statement(let statement, let parameters): send(statement, parameters, of: request, on: handle)
      case .script(let sql): send(script: sql, of: request, on: handle)
      }
    if isSent { flushAtEndOfTurn() } else { lose(reason: "a statement could not be sent") }
  }

  private func send(
    _ statement: PreparedStatement, _ parameters: [PostgresValue], of request: Request, on handle: OpaquePointer
  ) -> Bool {
    let known = prepared.find(statement, parameters)
    let variant = known ?? prepared.add(statement, parameters)
    inFlight.append(Exchange(request: request, variantName: variant.name, isPreparing: known == nil))
    if known == nil {
      guard PQsendPrepare(handle, variant.name, statement.sql, Int32(variant.types.count), variant.types) == 1 else {
        return false
      }
    }
    let isSent = buffer.withEncoded(parameters) { values, lengths, formats in
      PQsendQueryPrepared(handle, variant.name, Int32(parameters.count), values, lengths, formats, 1)
    }
    return isSent == 1 && postern_pq_pipeline_sync(handle) == 1
  }

  /// The pipeline knows one statement at a time only, so it is left for the duration of a script.
  private func send(script: String, of request: Request, on handle: OpaquePointer) -> Bool {
    precondition(inFlight.isEmpty, "a script runs alone on its connection")
    inFlight.append(Exchange(request: request, variantName: "", isPreparing: false))
    return PQexitPipelineMode(handle) == 1 && PQsendQuery(handle, script) == 1
  }

  private func flushAtEndOfTurn() {
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    loop.atEndOfTurn { [self] in
      isFlushScheduled = false
      flush()
    }
  }

  private func flush() {
    guard let handle, let registration else { return }
    switch PQflush(handle) {
    case 0: watchWritable(false, registration)
    case 1: watchWritable(true, registration)
    default: lose(reason: "writing failed: \(lastMessage)")
    }
  }

  private func watchWritable(_ wanted: Bool, _ registration: Registration) {
    guard wanted != wantsWritable else { return }
    wantsWritable = wanted
    loop.update(registration, interest: wanted ? [.readable, .writable] : .readable)
  }

  // MARK: Receiving

  override func ready(_ readiness: Readiness, token: UInt32) {
    loop.assertInLoop()
    guard let handle else { return }
    if readiness != .writable, PQconsumeInput(handle) == 0 {
      // What arrived before the end is still in libpq's buffer, such as the reason of a shutdown.
      readAnswers()
      return lose(reason: lastMessage)
    }
    if wantsWritable { flush() }
    readAnswers()
    readNotifications()
  }

  private func readAnswers() {
    var isAfterEnd = false
    while let handle, let exchange = inFlight.first, PQisBusy(handle) == 0 {
      guard let result = PQgetResult(handle) else {
        if case .script = exchange.request.work {
          guard PQenterPipelineMode(handle) == 1 else { return lose(reason: lastMessage) }
          complete()
        } else if isAfterEnd {
          // One null ends each statement's results; two in a row mean that libpq expects nothing while we do.
          return lose(reason: "the answers do not match the statements")
        } else {
          isAfterEnd = true
        }
        continue
      }
      isAfterEnd = false
      read(result, of: exchange)
    }
  }

  /// Takes over `result`.
  private func read(_ result: OpaquePointer, of exchange: Exchange) {
    partial.resultCount += 1
    switch PQresultStatus(result) {
    case PGRES_PIPELINE_SYNC:
      PQclear(result)
      complete()
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
      if exchange.isPreparing, partial.resultCount == 1 {
        PQclear(result)
      } else {
        partial.rows = PostgresRows(result)
      }
    // The statement behind a failed prepare: the reason came before.
    case PGRES_PIPELINE_ABORTED:
      PQclear(result)
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      PQclear(result)
      lose(reason: "COPY is not spoken here")
    default:
      if partial.failure == nil {
        partial.failure = PostgresError(failedResult: result)
        partial.mustClose = PostgresError.isFatalToConnection(result)
        if exchange.isPreparing, partial.resultCount == 1, case .statement(let statement, _) = exchange.request.work {
          prepared.forget(statement, name: exchange.variantName)
          failedPrepares[exchange.variantName] = partial.failure
        }
      }
      PQclear(result)
      if let handle, PQstatus(handle) == CONNECTION_BAD { lose(reason: lastMessage) }
    }
  }

  /// The first exchange's answer is whole.
  private func complete() {
    guard let exchange = inFlight.popFirst() else { return }
    let answer = partial
    partial = Partial()
    lastProgress = loop.now
    if let failure = answer.failure {
      fail(exchange, failure)
    } else {
      exchange.request.resume(answer.rows.map { .success($0) } ?? .failure(.decoding("no result")))
    }
    if inFlight.isEmpty { failedPrepares = [:] }
    if answer.mustClose { return lose(reason: "the server is going away") }
    owner?.wireHasRoom(self)
  }

  private func fail(_ exchange: Exchange, _ failure: PostgresError) {
    guard failure.isStaleStatement, case .statement(let statement, _) = exchange.request.work else {
      return exchange.request.resume(.failure(failure))
    }
    prepared.forget(statement, name: exchange.variantName)
    if let reason = failedPrepares[exchange.variantName] {
      // Sent behind the prepare that failed, so it failed for the same reason.
      exchange.request.resume(.failure(reason))
    } else if exchange.request.mayResend, let owner {
      var request = exchange.request
      request.mayResend = false
      owner.wire(self, returns: request)
    } else {
      exchange.request.resume(.failure(failure))
    }
  }

  private func readNotifications() {
    while let handle, let notification = PQnotifies(handle) {
      let channel = String(cString: notification.pointee.relname)
      let payload = String(cString: notification.pointee.extra)
      PQfreemem(notification)
      owner?.wire(self, received: payload, on: channel)
    }
  }

  // MARK: Ending

  /// Treats the connection as lost when an answer is overdue: the network or the server may have gone silently.
  ///
  /// - Parameter limit: the longest silence while something is under way.
  func loseIfSilent(for limit: Duration) {
    loop.assertInLoop()
    guard !inFlight.isEmpty, loop.now - lastProgress > limit.nanoseconds else { return }
    lose(reason: "no answer for \(limit)")
  }

  /// Ends the connection; what is under way fails with `.unavailable`.
  func close() {
    loop.assertInLoop()
    release()
    failAll()
  }

  /// Ends the connection like a loss, so that its keeper opens another.
  func abandon(reason: String) { lose(reason: reason) }

  private func lose(reason: String) {
    guard handle != nil else { return }
    release()
    failAll()
    owner?.wireLost(self, reason: reason)
  }

  private func release() {
    if let registration { loop.deregister(registration) }
    registration = nil
    // After `deregister`: this closes the descriptor.
    if let handle { PQfinish(handle) }
    handle = nil
  }

  private func failAll() {
    partial = Partial()
    while let exchange = inFlight.popFirst() { exchange.request.resume(.failure(.unavailable)) }
  }

  private var lastMessage: String { handle.map { libpqMessage($0) } ?? "closed" }
}
