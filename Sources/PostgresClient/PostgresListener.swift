import EventLoop
import Logging

/// A connection of its own that listens to channels and comes back by itself.
///
/// Notifications sent while it is down are lost: `onConnected` is the moment to re-read what they would have told.
/// Poolers in transaction mode do not pass notifications on.
public final class PostgresListener: ConnectionKeeperOwner, @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  /// How often the connection is tried, so that a network that swallows packets is noticed.
  private static let heartbeatInterval: Duration = .milliseconds(500)
  /// An answer later than this means that the connection is lost.
  private static let heartbeatTimeout: Duration = .milliseconds(1500)

  private let loop: EventLoop
  private let configuration: PostgresConfiguration
  private let logger: Logger
  private let listens: [PreparedStatement]
  private let onConnected: () -> Void
  private let onLost: () -> Void
  private let onNotification: (_ channel: String, _ payload: String) -> Void
  private var keeper: ConnectionKeeper?
  private var isBeating = false

  /// Whether every channel is being listened to. Read on the loop.
  public private(set) var isListening = false

  /// - Parameters:
  ///   - channels: names as in `NOTIFY`, taken literally.
  ///   - onConnected: every channel is listened to now; also after each reconnect.
  ///   - onLost: the connection is gone.
  public init(
    loop: EventLoop, configuration: PostgresConfiguration, channels: [String], logger: Logger,
    onConnected: @escaping () -> Void, onLost: @escaping () -> Void,
    onNotification: @escaping (_ channel: String, _ payload: String) -> Void
  ) {
    self.loop = loop
    self.configuration = configuration
    self.logger = logger
    listens = channels.map { PreparedStatement("LISTEN \(Self.quoted(identifier: $0))") }
    self.onConnected = onConnected
    self.onLost = onLost
    self.onNotification = onNotification
  }

  public func start() {
    loop.assertInLoop()
    precondition(keeper == nil, "a listener starts once")
    let keeper = ConnectionKeeper(loop: loop, connector: Connector(configuration), logger: logger, owner: self)
    self.keeper = keeper
    keeper.start()
  }

  /// Ends listening without a call of `onLost`.
  public func close() {
    loop.assertInLoop()
    isListening = false
    keeper?.close()
  }

  private static func quoted(identifier: String) -> String {
    var quoted = "\""
    for character in identifier { quoted += character == "\"" ? "\"\"" : String(character) }
    return quoted + "\""
  }

  private func listen(on wire: WireConnection) {
    var missing = listens.count
    for statement in listens {
      send(statement, on: wire) { [weak self, weak wire] isDone in
        guard let self, let wire else { return }
        guard isDone else { return wire.abandon(reason: "LISTEN failed") }
        missing -= 1
        guard missing == 0 else { return }
        isListening = true
        onConnected()
      }
    }
  }

  private static let heartbeat = PreparedStatement("SELECT")

  private func beat() {
    guard !isBeating else { return }
    isBeating = true
    loop.schedule(after: Self.heartbeatInterval) { [weak self] in
      guard let self else { return }
      isBeating = false
      guard let wire = keeper?.wire else { return }
      wire.loseIfSilent(for: Self.heartbeatTimeout)
      if wire.inFlightCount == 0 { send(Self.heartbeat, on: wire) { _ in } }
      beat()
    }
  }

  private func send(_ statement: PreparedStatement, on wire: WireConnection, _ finish: @escaping (Bool) -> Void) {
    wire.send(
      Request(
        work: .statement(statement, []), enqueuedAt: loop.now,
        completion: .callback { answer in
          if case .success = answer { finish(true) } else { finish(false) }
        }, mayResend: false))
  }

  // MARK: ConnectionKeeperOwner

  func connectionUp(_ keeper: ConnectionKeeper) {
    guard let wire = keeper.wire else { return }
    listen(on: wire)
    beat()
  }

  func connectionDown(_ keeper: ConnectionKeeper) {
    guard isListening else { return }
    isListening = false
    onLost()
  }

  func connectionHasRoom(_ keeper: ConnectionKeeper) {}
  func connection(_ keeper: ConnectionKeeper, returns request: Request) { request.resume(.failure(.unavailable)) }
  func connection(_ keeper: ConnectionKeeper, received payload: String, on channel: String) {
    onNotification(channel, payload)
  }
}
