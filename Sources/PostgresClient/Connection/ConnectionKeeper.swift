import EventLoop
import Logging

/// Hears from a `ConnectionKeeper`. Called on its loop.
protocol ConnectionKeeperOwner: AnyObject {
  func connectionUp(_ keeper: ConnectionKeeper)
  func connectionDown(_ keeper: ConnectionKeeper)
  func connectionHasRoom(_ keeper: ConnectionKeeper)
  func connection(_ keeper: ConnectionKeeper, returns request: Request)
  func connection(_ keeper: ConnectionKeeper, received payload: String, on channel: String)
}

/// Keeps one connection up: opens it, and opens the next one when it is lost, with growing delays while that fails.
final class ConnectionKeeper: WireConnectionOwner, @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  private let loop: EventLoop
  private let connector: Connector
  private let logger: Logger
  private weak var owner: (any ConnectionKeeperOwner)?
  private var backoff = Backoff()
  private var random = SystemRandomNumberGenerator()
  private var isClosed = false
  /// One line for each outage, not one for each attempt.
  private var isOutageLogged = false

  /// The connection, while it is up.
  private(set) var wire: WireConnection?

  init(loop: EventLoop, connector: Connector, logger: Logger, owner: any ConnectionKeeperOwner) {
    self.loop = loop
    self.connector = connector
    self.logger = logger
    self.owner = owner
  }

  func start() {
    loop.assertInLoop()
    loop.task { [self] in
      let outcome = await connector.connect()
      finish(outcome)
    }
  }

  func close() {
    loop.assertInLoop()
    isClosed = true
    wire?.close()
    wire = nil
  }

  private func finish(_ outcome: Result<EstablishedConnection, ConnectFailure>) {
    loop.assertInLoop()
    switch outcome {
    case .failure(let failure):
      failed(reason: failure.reason)
    case .success(let established):
      guard !isClosed else { return established.finish() }
      do throws(SystemCallError) {
        wire = try WireConnection(loop: loop, established: established, owner: self)
      } catch {
        return failed(reason: error.description)
      }
      backoff.reset()
      if isOutageLogged { logger.notice("the database is reachable again") }
      isOutageLogged = false
      owner?.connectionUp(self)
    }
  }

  private func failed(reason: String) {
    guard !isClosed else { return }
    if !isOutageLogged {
      isOutageLogged = true
      logger.error("the database cannot be reached; trying again", metadata: ["reason": "\(reason)"])
    }
    startLater()
  }

  private func startLater() {
    guard !isClosed else { return }
    loop.schedule(after: backoff.next(using: &random)) { [weak self] in
      guard let self, !isClosed else { return }
      start()
    }
  }

  // MARK: WireConnectionOwner

  func wireHasRoom(_ wire: WireConnection) { owner?.connectionHasRoom(self) }

  func wire(_ wire: WireConnection, returns request: Request) {
    guard let owner else { return request.resume(.failure(.closed)) }
    owner.connection(self, returns: request)
  }

  func wire(_ wire: WireConnection, received payload: String, on channel: String) {
    owner?.connection(self, received: payload, on: channel)
  }

  func wireLost(_ wire: WireConnection, reason: String) {
    self.wire = nil
    logger.warning("a database connection was lost", metadata: ["reason": "\(reason)"])
    owner?.connectionDown(self)
    startLater()
  }
}
