import Foundation

/// Keep-alive connections that send one request after the other until they are stopped.
final class Load: Sendable {
  private let state = Locked((isStopped: false, answered: 0, failures: [String]()))
  private let group = DispatchGroup()

  init(port: Int, _ target: String, bearer: String, connections: Int) {
    let request = "GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAuthorization: Bearer \(bearer)\r\n\r\n"
    for _ in 0..<connections {
      group.enter()
      Thread { [state, group] in
        Load.run(port: port, Data(request.utf8), state)
        group.leave()
      }.start()
    }
  }

  /// - Returns: requests answered with 200, and what went wrong with others.
  func stop() -> (answered: Int, failures: [String]) {
    state.withLock { $0.isStopped = true }
    group.wait()
    return state.withLock { ($0.answered, $0.failures) }
  }

  private static func run(port: Int, _ request: Data, _ state: Locked<(isStopped: Bool, answered: Int, failures: [String])>) {
    func fail(_ why: String) { state.withLock { $0.failures.append(why) } }
    guard let connection = try? KeepAliveConnection(port: port) else { return fail("no connection") }
    while !state.withLock({ $0.isStopped }) {
      guard let answer = connection.exchange(request) else { return fail("the connection ended") }
      guard answer.hasPrefix("HTTP/1.1 200 ") else { return fail(String(answer.prefix(200))) }
      state.withLock { $0.answered += 1 }
      usleep(1000)
    }
  }
}

/// A connection that carries one exchange after the other; answers have a `Content-Length`.
private final class KeepAliveConnection {
  private let descriptor: Int32

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Failure(description: "connection refused") }
  }

  deinit { close(descriptor) }

  /// - Returns: head and body; nil when the connection ended before.
  func exchange(_ request: Data) -> String? {
    let sent = request.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress!, request.count, Int32(MSG_NOSIGNAL)) }
    guard sent == request.count else { return nil }
    var received = ""
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      received += String(decoding: buffer[..<count], as: UTF8.self)
      guard let end = received.range(of: "\r\n\r\n") else { continue }
      let length = received[..<end.lowerBound].lowercased().components(separatedBy: "\r\n")
        .first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
      if received[end.upperBound...].utf8.count >= length ?? 0 { return received }
    }
  }
}
