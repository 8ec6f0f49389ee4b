import EventLoop

/// A connection outside any pool, for work that comes once, such as migrations. Not reopened when lost.
final class SoloConnection: WireConnectionOwner, @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  private let loop: EventLoop
  private var wire: WireConnection?

  private init(loop: EventLoop) { self.loop = loop }

  static func open(
    loop: EventLoop, configuration: PostgresConfiguration
  ) async throws(ConnectFailure) -> SoloConnection {
    loop.assertInLoop()
    let established = try await Connector(configuration).connect().get()
    let connection = SoloConnection(loop: loop)
    do throws(SystemCallError) {
      connection.wire = try WireConnection(loop: loop, established: established, owner: connection)
    } catch {
      throw ConnectFailure(reason: error.description)
    }
    return connection
  }

  func query(_ sql: String, _ parameters: [PostgresValue] = []) async throws(PostgresError) -> PostgresRows {
    try await run(.statement(PreparedStatement(sql), parameters))
  }

  /// Runs several statements in one text, with the simple protocol. Stops at the first failure.
  func script(_ sql: String) async throws(PostgresError) { _ = try await run(.script(sql)) }

  func close() {
    loop.assertInLoop()
    wire?.close()
    wire = nil
  }

  private func run(_ work: Request.Work) async throws(PostgresError) -> PostgresRows {
    loop.assertInLoop()
    guard let wire else { throw .unavailable }
    return try await withUnsafeContinuation { continuation in
      wire.send(Request(work: work, enqueuedAt: loop.now, completion: .task(continuation), mayResend: false))
    }.get()
  }

  func wireHasRoom(_ wire: WireConnection) {}
  func wire(_ wire: WireConnection, returns request: Request) { request.resume(.failure(.unavailable)) }
  func wire(_ wire: WireConnection, received payload: String, on channel: String) {}
  func wireLost(_ wire: WireConnection, reason: String) { self.wire = nil }
}
