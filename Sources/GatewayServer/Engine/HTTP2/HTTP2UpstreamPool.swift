import EventLoop
import ReverseProxy

/// The HTTP/2 connections to one server on one loop: as few as the server's limit on streams allows.
final class HTTP2UpstreamPool {
  // SAFETY: the server holds its pool, and connections hold both.
  private unowned let server: UpstreamServer
  // SAFETY: the engine holds every connection until it is closed, and closing takes it out of here.
  private var connections: [HTTP2UpstreamConnection] = []
  /// Whether a server that may choose has chosen HTTP/2.
  private var wasChosen = false
  private(set) var isRetired = false

  init(of server: UpstreamServer) { self.server = server }

  /// Whether requests go to streams at once; otherwise a connection has to be made first to hear what the server chooses.
  var isInUse: Bool { server.applicationProtocol == .http2 || wasChosen }

  /// A stream of the connection with the most room, or of a new one.
  func makeStream(_ engine: Engine) throws(GatewayError) -> HTTP2UpstreamStream {
    if let known = connections.filter(\.hasRoom).min(by: { $0.load < $1.load }) { return known.makeStream() }
    guard connections.count < engine.limits.http2UpstreamConnections else { throw .connectionLimitReached }
    let (descriptor, isConnected, tls) = try server.makeSocket()
    return try add(engine, descriptor, isConnected: isConnected, tls, isSecured: false)
  }

  /// A stream of a connection whose server has chosen HTTP/2 just now.
  func adopt(_ engine: Engine, _ descriptor: Int32, _ tls: TLSSession?) throws(GatewayError) -> HTTP2UpstreamStream {
    wasChosen = true
    return try add(engine, descriptor, isConnected: true, tls, isSecured: true)
  }

  private func add(
    _ engine: Engine, _ descriptor: Int32, isConnected: Bool, _ tls: TLSSession?, isSecured: Bool
  ) throws(GatewayError) -> HTTP2UpstreamStream {
    guard
      let connection = try? HTTP2UpstreamConnection(
        engine, server, in: self, descriptor: descriptor, isConnected: isConnected, tls: tls, isSecured: isSecured)
    else { throw .connectionRefused }
    engine.add(connection)
    connections.append(connection)
    return connection.makeStream()
  }

  /// The server has chosen something else than HTTP/2.
  ///
  /// - Returns: what becomes of those who counted on it.
  func otherProtocolWasChosen() -> GatewayError {
    wasChosen = false
    return server.applicationProtocol == .http2 ? .tlsProtocolError : .connectionTerminated
  }

  /// Begins no more streams on it.
  func remove(_ connection: HTTP2UpstreamConnection) { connections.removeAll { $0 === connection } }

  /// The server serves no more requests: connections are closed once the last stream has ended.
  func retire() {
    isRetired = true
    for connection in connections where connection.load == 0 { connection.fail(.connectionTerminated) }
  }
}
