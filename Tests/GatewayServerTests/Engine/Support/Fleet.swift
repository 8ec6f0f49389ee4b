import EventLoop
import Glibc
import ReverseProxy
import Synchronization

@testable import GatewayServer

extension Gateway {
  /// One anonymous route `/**` to an upstream of several servers.
  static func balancing(_ servers: [SocketAddress], _ set: (inout Upstream) -> Void = { _ in }) throws -> Gateway {
    let gateway = try Gateway([], upstreams: [:])
    try gateway.serve(servers, set)
    return gateway
  }

  /// Serves another configuration of the same upstream from now on.
  func serve(_ servers: [SocketAddress], _ set: (inout Upstream) -> Void = { _ in }) throws {
    let snapshot = try Gateway.balanced(servers, set)
    onEngine { $0.apply(snapshot) }
  }

  static func balanced(_ servers: [SocketAddress], _ set: (inout Upstream) -> Void = { _ in }) throws -> GatewaySnapshot {
    var addresses: [Origin: [SocketAddress]] = [:]
    let origins = try servers.map { server in
      let origin = try Origin("http://\(server)")
      addresses[origin] = [server]
      return origin
    }
    var upstream = Upstream(name: "up", servers: origins)
    set(&upstream)
    return GatewaySnapshot(routes: try RouteTable([.everything()]), upstreams: [upstream], addresses: addresses)
  }

  /// What the loop knows of a server.
  func server<Value: Sendable>(_ address: SocketAddress, _ read: @escaping @Sendable (UpstreamServer) -> Value) -> Value? {
    onEngine { $0.upstreamGroups["up"]?.servers.first { $0.key.address == address }.map(read) }
  }
}

/// A port of loopback that refuses connections.
func refusingAddress() throws -> SocketAddress {
  let descriptor = try Socket.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)
  defer { close(descriptor) }
  return Socket.localAddress(descriptor)!
}

/// Upstream servers that count the requests they read, and answer each as the test says.
final class Fleet: Sendable {
  enum Answer: Sendable {
    case response(String)
    /// The connection is closed instead.
    case none
  }

  private let counts: Mutex<[Int]>
  private let upstreams: Mutex<[ScriptedUpstream]> = Mutex([])

  /// - Parameter answer: by the number of the server; called when a request was read.
  init(_ count: Int, _ answer: @escaping @Sendable (Int) -> Answer) throws {
    counts = Mutex([Int](repeating: 0, count: count))
    for number in 0..<count {
      let upstream = try ScriptedUpstream { [self] connection, _ in
        while connection.readMessage() != nil {
          counts.withLock { $0[number] += 1 }
          guard case .response(let text) = answer(number), connection.send(text) else { return }
        }
      }
      upstreams.withLock { $0.append(upstream) }
    }
  }

  /// Servers that answer with their number.
  convenience init(_ count: Int) throws { try self.init(count) { .response(Fleet.ok("\($0)")) } }

  static func ok(_ body: String) -> String { "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }

  var addresses: [SocketAddress] { upstreams.withLock { $0.map(\.address) } }
  /// Requests that each server has read.
  var requests: [Int] { counts.withLock { $0 } }
  var received: String { upstreams.withLock { $0.flatMap(\.received).joined() } }

  func stop() { for upstream in upstreams.withLock({ $0 }) { upstream.stop() } }
}
