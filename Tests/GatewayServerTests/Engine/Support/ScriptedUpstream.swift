import EventLoop
import Glibc
import Synchronization

/// An upstream that does exactly what a test says, and keeps every byte it received.
final class ScriptedUpstream: Sendable {
  let address: SocketAddress
  private let descriptor: Int32
  private let state = Mutex(State())

  private struct State {
    var connections: [RawConnection] = []
    var isStopped = false
  }

  /// - Parameter script: runs on a thread of its own per connection, which is closed when it returns.
  ///   The number counts connections from 0.
  init(_ script: @escaping @Sendable (RawConnection, Int) -> Void) throws {
    descriptor = try Socket.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)
    address = Socket.localAddress(descriptor)!
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    onThread { [self] in
      var number = 0
      while true {
        let socket = accept(descriptor, nil, nil)
        guard socket >= 0, !state.withLock({ $0.isStopped }) else {
          // Here and not in `stop`: the number must not belong to another socket while this thread may accept on it.
          close(descriptor)
          return
        }
        let connection = RawConnection(descriptor: socket)
        state.withLock { $0.connections.append(connection) }
        let count = number
        number += 1
        onThread {
          script(connection, count)
          connection.close()
        }
      }
    }
  }

  /// Answers every request on every connection with the same response.
  convenience init(answering response: String) throws {
    try self.init { connection, _ in
      while connection.readMessage() != nil { guard connection.send(response) else { return } }
    }
  }

  /// Answers each request with the same response, once the gate is opened for it.
  convenience init(answering response: String, behind gate: Semaphore) throws {
    try self.init { connection, _ in
      while connection.readMessage() != nil {
        gate.wait()
        connection.send(response)
      }
    }
  }

  /// Answers every request, which has no body, with its own target.
  static func echo() throws -> ScriptedUpstream {
    try ScriptedUpstream { connection, _ in
      while let head = connection.readHead() {
        let target = head.split(separator: " ")[1]
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(target.utf8.count)\r\n\r\n\(target)")
      }
    }
  }

  var connectionCount: Int { state.withLock { $0.connections.count } }

  /// Everything that came in, connection by connection.
  var received: [String] {
    state.withLock { $0.connections.map { String(decoding: $0.received, as: UTF8.self) } }
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}

func onThread(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  pthread_create(&thread, nil, { context in
    Unmanaged<Box>.fromOpaque(context!).takeRetainedValue().body()
    return nil
  }, Unmanaged.passRetained(Box(body)).toOpaque())
  pthread_detach(thread)
}
