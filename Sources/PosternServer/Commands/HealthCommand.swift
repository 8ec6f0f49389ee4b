import ArgumentParser
import Broker
import EventLoop
import Glibc

struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Ask a running Postern whether it is ready; for container health checks.",
    discussion: "Exit status 0: it answered 200.")

  @Option(help: "An http URL with an IP address.") var url = "http://127.0.0.1:9090/readyz"

  /// Longest wait for the answer. Seconds.
  private static let timeoutSeconds = 3

  func run() throws {
    guard let endpoint = EndpointURL(url), endpoint.scheme == .http,
      let address = SocketAddress(literal: endpoint.host, port: endpoint.port)
    else {
      throw CommandFailure("--url is like http://127.0.0.1:9090/readyz, not '\(url)'")
    }
    let (descriptor, _) = try Socket.connect(to: address)
    defer { close(descriptor) }
    let request = Array("GET \(endpoint.target) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n".utf8)
    try Self.wait(descriptor, for: Int16(POLLOUT))
    guard Socket.pendingError(descriptor) == 0, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    else { throw CommandFailure("nothing listens at \(address); start Postern, or name its admin address with --url") }
    try Self.wait(descriptor, for: Int16(POLLIN))
    var head = [UInt8](repeating: 0, count: 64)
    let count = recv(descriptor, &head, head.count, 0)
    let line = String(decoding: head[..<max(0, count)].prefix { $0 != 0x0d }, as: UTF8.self)
    guard line.hasPrefix("HTTP/1.1 200") else { throw CommandFailure("\(url) answered '\(line)'; see what Postern logs") }
  }

  private static func wait(_ descriptor: Int32, for events: Int16) throws {
    var poll = pollfd(fd: descriptor, events: events, revents: 0)
    guard Glibc.poll(&poll, 1, Int32(timeoutSeconds * 1000)) == 1 else {
      throw CommandFailure("there was no answer within \(timeoutSeconds) s; see what Postern logs")
    }
  }
}
