import EventLoop
import ReverseProxy
import TestCertificates

@testable import GatewayServer

extension ScriptedUpstream {
  /// An upstream that speaks HTTP/2 by prior knowledge.
  convenience init(
    http2 settings: [(UInt16, UInt32)], _ script: @escaping @Sendable (HTTP2Connection, Int) -> Void
  ) throws {
    try self.init { raw, number in
      guard raw.read(HTTP2Frame.preface.count) == HTTP2Frame.preface else { return }
      let connection = HTTP2Connection(raw, opensWith: nil)
      connection.write(.settings(settings))
      script(connection, number)
    }
  }

  /// Answers every request with its own path.
  static func http2Echo(settings: [(UInt16, UInt32)] = []) throws -> ScriptedUpstream {
    try ScriptedUpstream(http2: settings) { connection, _ in
      while let (stream, request) = connection.nextRequest() {
        connection.respond(stream, "200", [], request.pseudo.first { $0.hasPrefix(":path: ") } ?? "")
      }
    }
  }
}

extension Gateway {
  /// One route `/**` to an upstream that is spoken to in HTTP/2.
  static func http2(
    _ addresses: SocketAddress..., access: AccessPolicy = .anonymous, limits: EngineLimits = EngineLimits(),
    timeouts: Upstream.Timeouts = .init(), streams: StreamRules = StreamRules()
  ) throws -> Gateway {
    let gateway = try Gateway([.everything(access: access, streams: streams)], upstreams: ["up": addresses], limits: limits)
    var resolved: [Origin: [SocketAddress]] = [:]
    let origins = try addresses.map { address in
      let origin = try Origin("http://\(address)")
      resolved[origin] = [address]
      return origin
    }
    var upstream = Upstream(name: "up", servers: origins, timeouts: timeouts)
    upstream.applicationProtocol = .http2
    let snapshot = GatewaySnapshot(
      routes: try RouteTable([.everything(access: access, streams: streams)]), upstreams: [upstream], addresses: resolved)
    gateway.onEngine { $0.apply(snapshot) }
    return gateway
  }
}
