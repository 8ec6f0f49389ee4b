import CLinux
import Glibc

/// A connected socket with what waits to be written to it and what was read from it but not used yet.
///
/// Watched edge-triggered: `isReadable` and `isWritable` remember the last edge until the kernel says `EAGAIN`. All bytes
/// pass through `receive` and `transmit`, and nothing else touches the descriptor's data.
public struct Channel: ~Copyable {
  public enum Received: Sendable {
    case bytes(Int)
    case nothingYet
    /// The peer closed its sending side.
    case end
    case failed
  }

  public let descriptor: Int32
  public private(set) var registration: Registration?
  public var isReadable = false
  public private(set) var isWritable: Bool
  /// The peer announced its end: a short read no longer means that nothing follows.
  public private(set) var isPeerClosed = false
  public private(set) var isClosed = false
  /// Received, but its time has not come: the next pipelined request, half a head.
  public var inbound: ByteQueue
  /// To be sent when the socket takes it.
  public private(set) var outbound: ByteQueue

  /// - Parameter isWritable: whether the connection stands; false while it is being made.
  public init(descriptor: Int32, isWritable: Bool, pool: BufferPool) {
    self.descriptor = descriptor
    self.isWritable = isWritable
    inbound = ByteQueue(pool: pool)
    outbound = ByteQueue(pool: pool)
  }

  public mutating func register(on loop: EventLoop, handler: any ReadinessHandler) throws(SystemCallError) {
    registration = try loop.register(
      descriptor, for: [.readable, .writable, .peerClosed, .edgeTriggered], handler: handler)
  }

  /// Takes note of an event.
  ///
  /// - Returns: whether the socket became writable by it.
  public mutating func note(_ readiness: Readiness) -> Bool {
    if !readiness.isDisjoint(with: [.readable, .peerClosed]) { isReadable = true }
    if readiness.contains(.peerClosed) { isPeerClosed = true }
    guard readiness.contains(.writable), !isWritable else { return false }
    isWritable = true
    return true
  }

  /// Reads once.
  public mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received {
    while true {
      let count = postern_recv(descriptor, buffer.baseAddress, buffer.count)
      if count > 0 {
        // A short read emptied the socket, unless an end follows: saves the call that would say EAGAIN.
        if count < buffer.count, !isPeerClosed { isReadable = false }
        return .bytes(count)
      }
      if count == 0 { return .end }
      switch postern_errno() {
      case EINTR: continue
      case EAGAIN:
        isReadable = false
        return .nothingYet
      default: return .failed
      }
    }
  }

  /// Sends what it can now and keeps the rest.
  ///
  /// - Returns: false when the connection is broken.
  public mutating func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard isWritable, outbound.isEmpty else {
      outbound.append(bytes)
      return true
    }
    guard let sent = transmit(bytes) else { return false }
    if sent < bytes.count { outbound.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
    return true
  }

  /// Sends what was kept.
  ///
  /// - Returns: false when the connection is broken.
  public mutating func flush() -> Bool {
    guard isWritable, !outbound.isEmpty else { return true }
    guard let sent = transmit(outbound.readable) else { return false }
    outbound.consume(sent)
    return true
  }

  /// - Returns: how many bytes the kernel took; nil when the connection is broken.
  private mutating func transmit(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var sent = 0
    while sent < bytes.count {
      let count = postern_send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count &- sent)
      if count >= 0 {
        sent &+= count
        continue
      }
      switch postern_errno() {
      case EINTR: continue
      case EAGAIN:
        isWritable = false
        return sent
      default: return nil
      }
    }
    return sent
  }

  /// Tells the peer that nothing more comes; reading goes on.
  public func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// - Parameter abruptly: with a reset, so that the peer cannot take what it got for the whole.
  public mutating func close(on loop: EventLoop, abruptly: Bool = false) {
    guard !isClosed else { return }
    isClosed = true
    if abruptly {
      var setting = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    }
    if let registration { loop.deregister(registration) }
    Glibc.close(descriptor)
    inbound.clear()
    outbound.clear()
  }
}
