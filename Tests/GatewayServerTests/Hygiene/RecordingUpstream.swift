import EventLoop
import Glibc
import Synchronization

/// An upstream that keeps every byte and takes one request per connection, one connection after the other: once it has
/// answered a request, it has seen all that was sent to it before.
final class RecordingUpstream: Sendable {
  struct Message: Sendable {
    var bytes: [UInt8]
    /// Whether head and body came as a whole, and nothing behind them.
    var isComplete: Bool
  }

  private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"

  let address: SocketAddress
  private let descriptor: Int32
  private let messages = Mutex<[Message]>([])

  init() throws {
    descriptor = try Socket.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!)
    address = Socket.localAddress(descriptor)!
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    onThread { [self] in
      while case let socket = accept(descriptor, nil, nil), socket >= 0 { serve(RawConnection(descriptor: socket)) }
      close(descriptor)
    }
  }

  /// What came since the last call.
  func takeMessages() -> [Message] { messages.withLock { list in defer { list = [] }; return list } }

  func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func serve(_ connection: RawConnection) {
    let head = connection.readHead()
    let isComplete = head.map { readBody(of: $0, connection) } ?? false
    messages.withLock { list in
      list.append(Message(bytes: connection.received, isComplete: isComplete && connection.pending.isEmpty))
    }
    guard isComplete, let head else { return connection.close() }
    connection.send(Self.answer + (head.hasPrefix("HEAD ") ? "" : "ok"))
    connection.close()
  }

  /// As plain as can be: a length, or chunks with CRLF in the right places.
  private func readBody(of head: String, _ connection: RawConnection) -> Bool {
    let lines = head.lowercased().split(separator: "\r\n")
    if let length = lines.first(where: { $0.hasPrefix("content-length:") }) {
      return connection.read(Int(length.dropFirst(15).filter { $0 != "\t" }.trimmed) ?? 0) != nil
    }
    guard lines.contains(where: { $0.hasPrefix("transfer-encoding:") }) else { return true }
    while let line = readLine(connection) {
      guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { return false }
      if size == 0 { break }
      guard connection.read(size) != nil, readLine(connection) == "" else { return false }
    }
    while let line = readLine(connection) { if line.isEmpty { return true } }
    return false
  }

  private func readLine(_ connection: RawConnection) -> String? {
    var line: [UInt8] = []
    while !line.ends(with: Array("\r\n".utf8)) {
      guard let byte = connection.read(1) else { return nil }
      line += byte
    }
    return String(decoding: line.dropLast(2), as: UTF8.self)
  }
}

extension [UInt8] {
  func ends(with suffix: [UInt8]) -> Bool { count >= suffix.count && self[(count - suffix.count)...] == suffix[...] }
}
