import CLinux
import Glibc

/// A connected socket, or a stream that another connection carries, with what waits to be written to it and what was read from it but not used yet.
///
/// Watched edge-triggered: `isReadable` and `isWritable` remember the last edge until the kernel says `EAGAIN`. All bytes
/// pass through `receive` and `transmit`, and nothing else touches the descriptor's data. With TLS the handshake comes first:
/// what is sent before it is done waits in `outbound`.
public struct Channel: ~Copyable {
  public enum Received: Sendable {
    case bytes(Int)
    case nothingYet
    /// The peer closed its sending side.
    case end
    case failed
  }

  public enum Handshake: Sendable {
    case done
    /// Goes on with the next event.
    case pending
    case failed(TLSFailure)
  }

  public enum Connecting: Sendable {
    case done
    /// Goes on with the next event.
    case pending
    case refused
    /// The handshake of TLS.
    case failed(TLSFailure)
  }

  /// -1: a carried stream.
  public let descriptor: Int32
  /// nil: clear text.
  public let tls: TLSSession?
  private let stream: (any CarriedStream)?
  /// Neither TLS nor a stream: bytes go straight to the kernel.
  private let isBare: Bool
  private var hasSocket: Bool
  private var readAwaitsWritable = false
  private var endAwaitsWritable = false
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

  /// - Parameters:
  ///   - isWritable: whether the connection stands; false while it is being made.
  ///   - tls: on the same descriptor.
  public init(descriptor: Int32, isWritable: Bool, tls: TLSSession? = nil, pool: BufferPool) {
    self.descriptor = descriptor
    self.tls = tls
    stream = nil
    isBare = tls == nil
    hasSocket = isWritable
    self.isWritable = isWritable && tls == nil
    inbound = ByteQueue(pool: pool)
    outbound = ByteQueue(pool: pool)
  }

  /// - Parameter isWritable: whether the stream takes bytes already.
  public init(stream: any CarriedStream, isWritable: Bool, pool: BufferPool) {
    descriptor = -1
    tls = nil
    self.stream = stream
    isBare = false
    hasSocket = true
    self.isWritable = isWritable
    inbound = ByteQueue(pool: pool)
    outbound = ByteQueue(pool: pool)
  }

  /// Carried by another connection, which reports its events.
  public var isCarried: Bool { descriptor < 0 }

  public mutating func register(on loop: EventLoop, handler: ReadinessHandler) throws(SystemCallError) {
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
    if tls != nil { tlsIsWritable() }
    return true
  }

  private mutating func tlsIsWritable() {
    if readAwaitsWritable {
      readAwaitsWritable = false
      isReadable = true
    }
    if endAwaitsWritable {
      endAwaitsWritable = false
      endSending()
    }
  }

  /// Goes on with making the connection, TLS included; to be called with every event until it is done, in place of `note`.
  public mutating func finishConnecting(_ readiness: Readiness) -> Connecting {
    if !hasSocket {
      guard !readiness.isDisjoint(with: [.writable, .hangUp, .error]) else { return .pending }
      guard Socket.pendingError(descriptor) == 0, readiness.contains(.writable) else { return .refused }
      hasSocket = true
    }
    return switch handshake() {
    case .done: .done
    case .pending: .pending
    case .failed(let failure): .failed(failure)
    }
  }

  /// Goes on with the handshake; to be called with every event until it is done, in place of `note`.
  public mutating func handshake() -> Handshake {
    guard let tls else { return .done }
    switch tls.handshake() {
    case .pending: return .pending
    case .failed(let failure): return .failed(failure)
    case .done:
      isWritable = true
      // The first bytes may have come with the peer's last word.
      isReadable = true
      return .done
    }
  }

  /// Whether bytes of the peer wait in user space.
  public var hasPendingInput: Bool { tls.map { $0.hasPending } ?? false }

  /// Reads once.
  // SAFETY: the kernel writes at most `buffer.count` bytes.
  public mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received {
    guard isBare else { return receiveOtherwise(into: buffer) }
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

  private mutating func receiveOtherwise(into buffer: UnsafeMutableRawBufferPointer) -> Received {
    if let tls { return receive(through: tls, into: buffer) }
    guard let stream else { return .failed }
    let received = stream.receive(into: buffer)
    if case .nothingYet = received { isReadable = false }
    return received
  }

  private mutating func receive(through tls: TLSSession, into buffer: UnsafeMutableRawBufferPointer) -> Received {
    switch tls.read(into: buffer) {
    case .bytes(let count, let isDrained):
      if isDrained, !isPeerClosed { isReadable = false }
      return .bytes(count)
    case .pending:
      isReadable = false
      return .nothingYet
    case .awaitsWritable:
      isReadable = false
      isWritable = false
      readAwaitsWritable = true
      return .nothingYet
    case .end: return .end
    case .failed: return .failed
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
    guard isBare else { return transmitOtherwise(bytes) }
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

  private mutating func transmitOtherwise(_ bytes: UnsafeRawBufferPointer) -> Int? {
    let sent = if let tls { tls.write(bytes) } else { stream?.transmit(bytes) }
    if let sent, sent < bytes.count { isWritable = false }
    return sent
  }

  /// Tells the peer that nothing more comes; reading goes on.
  public mutating func endSending() {
    if let stream { return stream.endSending() }
    if let tls, !tls.sendCloseNotify() {
      isWritable = false
      endAwaitsWritable = true
      return
    }
    shutdown(descriptor, Int32(SHUT_WR))
  }

  /// - Parameter abruptly: with a reset, so that the peer cannot take what it got for the whole.
  public mutating func close(on loop: EventLoop, abruptly: Bool = false) {
    guard !isClosed else { return }
    isClosed = true
    if let stream {
      stream.close(abruptly: abruptly)
      return clear()
    }
    // Only where everything was sent: close_notify says so. Source: RFC 8446 §6.1.
    if let tls, !abruptly, outbound.isEmpty { _ = tls.sendCloseNotify() }
    if abruptly {
      var setting = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    }
    if let registration { loop.deregister(registration) }
    Glibc.close(descriptor)
    clear()
  }

  /// Gives the socket up without closing it: descriptor and session are the caller's from now on.
  public mutating func release(from loop: EventLoop) {
    precondition(!isClosed && !isCarried, "a socket is given up once")
    isClosed = true
    if let registration { loop.deregister(registration) }
    clear()
  }

  private mutating func clear() {
    inbound.clear()
    outbound.clear()
  }
}
