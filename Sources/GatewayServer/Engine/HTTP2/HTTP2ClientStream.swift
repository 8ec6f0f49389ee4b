import EventLoop
import HTTPWire

/// One request of an HTTP/2 connection and its response, as the connection of an HTTP/1.1 client that sends one request:
/// what the client sent is read here as HTTP/1.1, and what is written here as HTTP/1.1 is what the client gets.
final class HTTP2ClientStream: CarriedStream {
  /// Content that waits for the client's windows; more waits with the one who writes it.
  private static let contentBytesMax = 64 << 10

  let id: Int32
  // SAFETY: the connection tells its streams that they are gone before it goes, and they call it no more then.
  private unowned(unsafe) let carrier: HTTP2ClientConnection
  /// Who reads and writes here; nil once it has closed.
  private(set) var client: ClientConnection?
  /// nghttp2 knows the stream no more.
  private(set) var isGone = false
  /// What `client` is to be told.
  private var events: Readiness = []
  var isDue = false
  /// When what still waits to be taken by the client is given up.
  private(set) var deadline = Int64.max

  // The request.
  private let framing: HTTP2RequestHead.Framing
  private let method: MethodKind
  private var inbound: ByteQueue
  /// Content of the declared length that is still to come.
  private var left: UInt64
  private var hasInputEnded: Bool
  /// Received content that was not acknowledged yet.
  private var owed = 0

  // The response.
  private var scanner: ResponseScanner
  private var body = BodyReader()
  private var hasHead = false
  private var content: ByteQueue
  private var trailers: [UInt8] = []
  private var isOutputComplete = false
  private var awaitsRoom = false

  /// - Parameter head: as HTTP/1.1 writes it.
  init(
    _ id: Int32, on carrier: HTTP2ClientConnection, head: borrowing HTTP2RequestHead, _ framing: HTTP2RequestHead.Framing
  ) {
    self.id = id
    self.carrier = carrier
    self.framing = framing
    method = head.isHeadMethod ? .head : .other
    inbound = ByteQueue(pool: carrier.engine.pool)
    content = ByteQueue(pool: carrier.engine.pool)
    hasInputEnded = framing == .none
    if case .length(let length) = framing { left = length } else { left = 0 }
    // Heads of Postern's own are not the upstream's: they may be longer by what Postern adds.
    var limits = carrier.engine.limits.wire
    limits.fieldBytes *= 2
    limits.fieldCount *= 2
    scanner = ResponseScanner(limits: limits)
    inbound.append(head.bytes)
  }

  var waitingBytes: Int { inbound.count + content.count }

  func attach(_ client: ClientConnection) {
    self.client = client
    note(.readable)
  }

  private func note(_ event: Readiness) {
    events.formUnion(event)
    carrier.isDue(self)
  }

  /// Tells the owner what happened since the last time.
  func deliver() {
    let events = events
    self.events = []
    client?.ready(events, token: 0)
  }

  // MARK: From the client

  /// Content came.
  ///
  /// - Throws: it is more than was declared. Source: RFC 9113 §8.1.1.
  func take(_ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    owed += bytes.count
    guard client != nil, !isOutputComplete else { return acknowledge(owed) }
    switch framing {
    case .none: throw .protocolError
    case .length:
      guard UInt64(bytes.count) <= left else { throw .protocolError }
      left -= UInt64(bytes.count)
      inbound.append(bytes)
    case .chunked:
      guard bytes.count > 0 else { return }
      inbound.append(hexadecimal: bytes.count)
      inbound.append("\r\n")
      inbound.append(bytes)
      inbound.append("\r\n")
    }
    note(.readable)
  }

  /// The request is complete.
  ///
  /// - Parameter trailers: left out behind content of a declared length, where HTTP/1.1 has no place for them.
  func endInput(trailers: [UInt8]) throws(HTTP2ErrorCode) {
    guard !hasInputEnded else { return }
    hasInputEnded = true
    guard left == 0 else { throw .protocolError }
    if framing == .chunked {
      inbound.append("0\r\n")
      inbound.append(trailers)
      inbound.append("\r\n")
    }
    note(.readable)
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Channel.Received {
    guard !isGone else { return .failed }
    // One request is all there is: what follows its answer is the end.
    guard !isOutputComplete else { return .end }
    let count = min(buffer.count, inbound.count)
    guard count > 0 else { return .nothingYet }
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: inbound.readable[..<count]))
    inbound.consume(count)
    acknowledge(inbound.isEmpty ? owed : min(owed, count))
    return .bytes(count)
  }

  private func acknowledge(_ count: Int) {
    guard count > 0 else { return }
    owed -= count
    carrier.acknowledge(count, on: id)
  }

  // MARK: To the client

  func transmit(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard !isGone else { return nil }
    let octets = bytes.octets.span
    var used = 0
    do throws(WireError) {
      while used < octets.count, content.count < HTTP2ClientStream.contentBytesMax {
        guard !isOutputComplete else { throw .badStatusLine }
        let rest = octets.extracting(droppingFirst: used)
        let taken = hasHead ? try takeContent(rest) : try takeHead(rest)
        if taken == 0 { break }
        used += taken
      }
      // Heads and trailers are written as a whole: half of one will never go on.
      guard used == octets.count || !content.isEmpty else { throw .badTrailers }
    } catch {
      carrier.reset(self, .internalError)
      return nil
    }
    awaitsRoom = used < octets.count
    carrier.mustFlush()
    return used
  }

  private func takeHead(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    guard try scanner.scan(bytes, answering: method) else { return 0 }
    let count = scanner.head.byteCount
    if scanner.head.isInterim {
      carrier.submit(scanner.head, bytes, hasContent: false, on: id)
      scanner.reset()
      return count
    }
    hasHead = true
    body = BodyReader(scanner.head.framing)
    isOutputComplete = body.isComplete
    carrier.submit(scanner.head, bytes, hasContent: !isOutputComplete, on: id)
    if isOutputComplete { note(.readable) }
    return count
  }

  private func takeContent(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    let room = bytes.extracting(first: min(bytes.count, HTTP2ClientStream.contentBytesMax))
    let step = try body.advance(room)
    content.append(room.extracting(step.content))
    if body.isComplete {
      if body.trailerByteCount > 2 {
        let lines = room.extracting(step.wireCount - body.trailerByteCount..<step.wireCount - 2)
        trailers = lines.withUnsafeBufferPointer { Array($0) }
      }
      completeOutput()
    } else if !step.content.isEmpty {
      carrier.resume(id)
    }
    return step.wireCount
  }

  private func completeOutput() {
    isOutputComplete = true
    carrier.resume(id)
    note(.readable)
  }

  /// Gives content as the client's windows allow.
  func fill(_ buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content {
    let count = min(buffer.count, content.count)
    if count > 0 {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: content.readable[..<count]))
      content.consume(count)
    }
    if awaitsRoom, content.count <= HTTP2ClientStream.contentBytesMax / 2 {
      awaitsRoom = false
      note(.writable)
    }
    if content.isEmpty, isOutputComplete {
      return trailers.isEmpty ? .bytes(count, isLast: true) : .bytesBeforeTrailers(count, lines: trailers)
    }
    return count > 0 ? .bytes(count, isLast: false) : .none
  }

  /// Our side is out as a whole.
  ///
  /// Source: RFC 9113 §8.1: nobody wants the rest of the request any more.
  func endWasSent() { if !hasInputEnded { carrier.reset(self, .noError) } }

  func endSending() {
    guard !isGone, !isOutputComplete else { return }
    if hasHead, body.endsWithConnection { completeOutput() } else { carrier.reset(self, .internalError) }
  }

  // MARK: Ends

  func close(abruptly: Bool) {
    client = nil
    inbound.clear()
    guard !isGone else { return }
    acknowledge(owed)
    deadline = carrier.engine.deadline(after: carrier.engine.waits.idle)
    if abruptly, !isOutputComplete { carrier.reset(self, .internalError) } else { endSending() }
  }

  /// The stream is closed on the wire.
  func wentAway() {
    isGone = true
    inbound.clear()
    content.clear()
    if owed > 0 { carrier.acknowledge(owed, on: id) }
    owed = 0
    note(.hangUp)
  }
}

extension ByteQueue {
  fileprivate mutating func append(hexadecimal number: Int) {
    var digits: InlineArray<16, UInt8> = .init(repeating: 0)
    var start = 16
    var rest = number
    repeat {
      start &-= 1
      let digit = UInt8(truncatingIfNeeded: rest & 0xf)
      digits[start] = digit < 10 ? digit &+ 0x30 : digit &+ 0x57
      rest >>= 4
    } while rest > 0
    append(digits.span.extracting(start..<16))
  }
}
