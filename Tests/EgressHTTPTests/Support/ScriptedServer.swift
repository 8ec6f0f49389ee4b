import CLinux
import EventLoop
import Foundation
import Glibc
import Synchronization

/// A TCP peer on loopback that answers each request with the next bytes of its script; blocking, a thread per connection.
final class ScriptedServer: Sendable {
  enum Answer: Sendable {
    case bytes(String)
    /// Answers and closes.
    case last(String)
    /// Sends the text again and again, until the peer goes away.
    case endless(start: String, then: String)
    /// Says nothing and keeps the connection.
    case silence
  }

  private struct State {
    var answers: [Answer]
    var requests: [String] = []
    var connectionCount = 0
    /// Every descriptor is closed by the thread that serves it: its number may be another's at once.
    var openConnections: Set<Int32> = []
    var isStopped = false
  }

  let port: UInt16
  private let greeting: String
  private let listener: Int32
  private let state: Mutex<State>

  /// - Parameters:
  ///   - greeting: sent to whoever connects.
  ///   - answers: the last one is repeated.
  init(greeting: String = "", _ answers: Answer...) throws {
    self.greeting = greeting
    state = Mutex(State(answers: answers))
    (listener, port) = try Self.bindLoopback()
    guard listen(listener, 128) == 0 else { throw SystemCallError("listen") }
    Thread.detachNewThread { [self] in accept() }
  }

  /// A socket on a free port, which nobody else gets while it is open; connections to it are refused until it listens.
  static func bindLoopback() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, let local = Socket.localAddress(descriptor) else { throw SystemCallError("bind") }
    return (descriptor, local.port)
  }

  var requests: [String] { state.withLock { $0.requests } }
  var connectionCount: Int { state.withLock { $0.connectionCount } }

  func stop() {
    state.withLock { state in
      state.isStopped = true
      for connection in state.openConnections { shutdown(connection, Int32(SHUT_RDWR)) }
    }
    // Ends `accept`, whose thread closes the descriptor.
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private func accept() {
    defer { close(listener) }
    while true {
      let connection = Glibc.accept(listener, nil, nil)
      guard connection >= 0 else { return }
      let isStopped = state.withLock { state in
        state.connectionCount += 1
        state.openConnections.insert(connection)
        return state.isStopped
      }
      if isStopped { return finish(connection) }
      Thread.detachNewThread { [self] in
        serve(connection)
        finish(connection)
      }
    }
  }

  private func finish(_ connection: Int32) {
    state.withLock { state in
      state.openConnections.remove(connection)
      _ = close(connection)
    }
  }

  private func serve(_ connection: Int32) {
    guard greeting.isEmpty || send(connection, greeting) else { return }
    while let request = readRequest(connection) {
      let answer = state.withLock { state in
        state.requests.append(request)
        return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
      }
      switch answer {
      case .bytes(let text): _ = send(connection, text)
      case .last(let text):
        _ = send(connection, text)
        return
      case .endless(let start, let text):
        guard send(connection, start) else { return }
        while send(connection, text) {}
        return
      case .silence: break
      }
    }
  }

  /// Head and body of one request; nil at the end of the connection.
  private func readRequest(_ connection: Int32) -> String? {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let head = text.range(of: "\r\n\r\n") {
        let length = text.lowercased().range(of: "content-length: ").map { text.lowercased()[$0.upperBound...].prefix { $0.isNumber } }
        if text[head.upperBound...].utf8.count >= length.flatMap({ Int($0) }) ?? 0 { return text }
      }
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  private func send(_ connection: Int32, _ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }
}

extension ScriptedServer.Answer {
  static func ok(_ body: String) -> ScriptedServer.Answer {
    .bytes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }
}
