import CLinux
import EventLoop
import Glibc

/// A blocking socket for tests: sends and receives exact bytes.
final class RawConnection: TestConnection, @unchecked Sendable {
  // SAFETY: used by one thread at a time.
  let descriptor: Int32
  /// What has to live as long as the connection is used.
  var owner: AnyObject?
  var pending: [UInt8] = []
  /// Everything received so far, in order.
  private(set) var received: [UInt8] = []

  init(descriptor: Int32) {
    self.descriptor = descriptor
    // Long enough for any loaded machine; only a failing test waits for it.
    var timeout = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  convenience init(to address: SocketAddress) throws {
    let (descriptor, _) = try Socket.connect(to: address)
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    poll(&waiting, 1, 10_000)
    self.init(descriptor: descriptor)
  }

  deinit { close() }

  private var isClosed = false

  func close() {
    guard !isClosed else { return }
    isClosed = true
    Glibc.close(descriptor)
  }

  func reset() {
    var setting = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// What one reception brings; nil at the end, on a reset or after the time limit.
  func receive(_ limit: Int = 65536) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = recv(descriptor, &buffer, limit, 0)
    guard count > 0 else { return nil }
    received += buffer[..<count]
    return Array(buffer[..<count])
  }

  func fill() -> Bool {
    guard let bytes = receive() else { return false }
    pending += bytes
    return true
  }

  /// Whether the connection was reset rather than ended.
  func endsWithReset() -> Bool {
    var byte: UInt8 = 0
    while true {
      let count = recv(descriptor, &byte, 1, 0)
      if count == 0 { return false }
      if count < 0 { return postern_errno() == ECONNRESET }
    }
  }
}
