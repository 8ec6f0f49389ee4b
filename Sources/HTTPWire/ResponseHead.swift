/// What a response head says, as ranges of the bytes that were received.
public struct ResponseHead: ~Copyable, Sendable {
  /// Bytes of the head, with the empty line.
  public internal(set) var byteCount = 0
  /// 100 to 599.
  public internal(set) var status = 0
  /// From the status code to the end of the reason phrase: `200 OK`.
  public internal(set) var statusAndReason = ByteRange.empty
  public internal(set) var isHTTP10 = false
  /// Field lines, without the empty line.
  public internal(set) var fieldLines = 0..<0
  public internal(set) var fields = FieldSection(isRequest: false)
  public internal(set) var framing = BodyFraming.none

  init() {}

  mutating func reset() {
    byteCount = 0
    status = 0
    statusAndReason = .empty
    isHTTP10 = false
    fieldLines = 0..<0
    framing = .none
    fields.reset()
  }

  /// `1xx`: a final response follows. Source: RFC 9110 §15.2.
  public var isInterim: Bool { status < 200 }

  /// Whether the upstream keeps the connection. An HTTP/1.0 upstream is never believed to. Source: RFC 9112 §9.3.
  public var isPersistent: Bool {
    guard case .untilClose = framing else { return !isHTTP10 && !fields.asksToClose }
    return false
  }
}

/// Reads one response head, from any number of partial receptions.
public struct ResponseScanner: ~Copyable, Sendable {
  public private(set) var head = ResponseHead()
  private var progress = HeadProgress()
  public let limits: WireLimits

  public init(limits: WireLimits = WireLimits()) { self.limits = limits }

  /// Makes ready for the next response.
  public mutating func reset() {
    head.reset()
    progress = HeadProgress()
  }

  /// Goes on reading; see `RequestScanner.scan`.
  ///
  /// - Parameter method: of the request that is answered; a response to HEAD has no body whatever it says.
  public mutating func scan(_ bytes: Span<UInt8>, answering method: MethodKind) throws(WireError) -> Bool {
    guard progress.mayContinue(bytes) else {
      guard progress.fields > 0 || bytes.count <= limits.startLineBytes else { throw .badStatusLine }
      guard progress.fields == 0 || bytes.count &- progress.fields <= limits.fieldBytes else { throw .fieldsTooLarge }
      return false
    }
    if progress.fields == 0 {
      guard let end = try takeStatusLine(bytes) else { return false }
      progress.fields = end
      progress.finishLine(at: end)
    }
    guard let end = try progress.readFields(bytes, into: &head.fields, limits: limits) else { return false }
    head.byteCount = end
    head.fieldLines = progress.fields..<end &- 2
    head.framing = try framing(answering: method)
    return true
  }

  /// `HTTP/1.x SP 3DIGIT [ SP reason-phrase ] CRLF`. Source: RFC 9112 §4.
  private mutating func takeStatusLine(_ bytes: Span<UInt8>) throws(WireError) -> Int? {
    guard bytes.count >= 13 else {
      for index in 0..<bytes.count where bytes[index] == 0x0a { throw .badStatusLine }
      progress.wait(bytes)
      return nil
    }
    guard let minor = bytes.minorVersion(at: 0), bytes[8] == 0x20 else { throw .badStatusLine }
    head.isHTTP10 = minor == 0
    var status = 0
    for index in 9..<12 {
      guard ByteClass.isDigit(bytes[index]) else { throw .badStatusLine }
      status = status &* 10 &+ Int(bytes[index] &- 0x30)
    }
    // Source: RFC 9110 §15: values outside 100 to 599 are invalid.
    guard (100...599).contains(status), bytes[12] == 0x20 || bytes[12] == 0x0d else { throw .badStatusLine }
    let position = bytes.endOfFieldValue(from: 12)
    guard position &+ 1 < bytes.count else {
      guard position == bytes.count || bytes[position] == 0x0d, bytes.count <= limits.startLineBytes else {
        throw .badStatusLine
      }
      progress.wait(bytes)
      return nil
    }
    guard bytes[position] == 0x0d, bytes[position &+ 1] == 0x0a, position &+ 2 <= limits.startLineBytes else {
      throw .badStatusLine
    }
    head.status = status
    head.statusAndReason = ByteRange(9, position)
    return position &+ 2
  }

  /// Source: RFC 9112 §6.3; RFC 9110 §8.6 and RFC 9112 §6.1 for what a 1xx or 204 must not carry.
  private func framing(answering method: MethodKind) throws(WireError) -> BodyFraming {
    let isChunked = head.fields.isChunked
    let contentLength = head.fields.contentLength
    guard !head.isHTTP10 || !isChunked else { throw .badTransferEncoding }
    if head.status < 200 || head.status == 204 {
      guard !isChunked else { throw .badTransferEncoding }
      guard contentLength ?? 0 == 0 else { throw .badContentLength }
      return .none
    }
    if method == .head || head.status == 304 { return .none }
    if isChunked { return .chunked }
    guard let length = contentLength else { return .untilClose }
    return length > 0 ? .length(length) : .none
  }
}
