import EventLoop
import Glibc
import ReverseProxy

/// One server of an upstream as one loop sees it: where it is, and the connections to it that wait for a request.
final class UpstreamServer {
  let origin: Origin
  let timeouts: Upstream.Timeouts
  let tls: TLSClientContext?
  private let resumptions = TLSSessionCache()
  /// The same in nanoseconds.
  let waits: (connect: Int64, responseHead: Int64, idle: Int64)
  /// `Host: …` with its line end.
  let hostLine: [UInt8]
  private let addresses: [SocketAddress]
  private var nextAddress = 0
  fileprivate var nextReport = Int64.min
  /// Used last first: what was used last is the least likely to be closed by the server meanwhile.
  // SAFETY: the engine holds every connection until it is closed, and closing takes it out of here.
  // Nothing that touches it leads back here: the run-time check showed in the profile.
  @exclusivity(unchecked) private var idle: [Unmanaged<UpstreamConnection>] = []

  init(_ server: ResolvedServer, timeouts: Upstream.Timeouts, tls: TLSClientContext?) {
    origin = server.origin
    addresses = server.addresses
    self.timeouts = timeouts
    self.tls = tls
    waits = (timeouts.connect.nanoseconds, timeouts.responseHead.nanoseconds, timeouts.idle.nanoseconds)
    hostLine = Array("Host: \(server.origin.authority)\r\n".utf8)
  }

  func takeIdle() -> UpstreamConnection? { idle.popLast()?.takeUnretainedValue() }

  /// - Returns: false when enough connections wait already.
  func keep(_ connection: UpstreamConnection, limit: Int) -> Bool {
    guard idle.count < limit else { return false }
    idle.append(.passUnretained(connection))
    return true
  }

  func remove(_ connection: UpstreamConnection) {
    guard let index = idle.lastIndex(where: { $0.toOpaque() == Unmanaged.passUnretained(connection).toOpaque() }) else { return }
    idle.swapAt(index, idle.count - 1)
    idle.removeLast()
  }

  /// Starts a connection to the next of the server's addresses.
  func connect(_ engine: Engine) throws(GatewayError) -> UpstreamConnection {
    guard !addresses.isEmpty else { throw .dnsError }
    nextAddress = (nextAddress + 1) % addresses.count
    guard let (descriptor, isConnected) = try? Socket.connect(to: addresses[nextAddress]) else { throw .connectionRefused }
    let session = try session(on: descriptor)
    guard
      let connection = try? UpstreamConnection(
        engine, self, descriptor: descriptor, isConnected: isConnected, tls: session)
    else { throw .connectionRefused }
    return connection
  }

  private func session(on descriptor: Int32) throws(GatewayError) -> TLSSession? {
    guard origin.scheme == .https else { return nil }
    guard let session = try? tls?.session(on: descriptor, to: origin.host, resuming: resumptions) else {
      close(descriptor)
      throw .tlsProtocolError
    }
    return session
  }
}

extension UpstreamServer {
  /// Tells why no session could be made, now and then: under load it is always the same reason.
  func report(_ failure: TLSFailure, to engine: Engine) {
    guard engine.loop.now >= nextReport else { return }
    nextReport = engine.deadline(after: Self.reportInterval.nanoseconds)
    engine.report(failure, of: origin)
  }

  private static let reportInterval: Duration = .seconds(60)
}

/// The servers of one upstream on one loop.
final class UpstreamGroup {
  private let servers: [UpstreamServer]
  private var next = 0

  init(_ servers: [UpstreamServer]) { self.servers = servers }

  /// The server for the next request, in turn.
  func pick() -> UpstreamServer {
    if servers.count == 1 { return servers[0] }
    next = (next + 1) % servers.count
    return servers[next]
  }
}
