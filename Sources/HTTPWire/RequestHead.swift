/// Methods that the wire or its users treat in a special way. Source: RFC 9110 §9.3.
public enum MethodKind: Sendable {
  case get, head, post, put, delete, options, trace, connect, patch
  case other

  /// Source: RFC 9110 §9.2.2.
  public var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete, .options, .trace: true
    case .post, .connect, .patch, .other: false
    }
  }
}

/// What a request head says, as ranges of the bytes that were received.
public struct RequestHead: ~Copyable, Sendable {
  /// Bytes of the head, with the empty line.
  public internal(set) var byteCount = 0
  public internal(set) var method = ByteRange.empty
  public internal(set) var methodKind = MethodKind.other
  /// Absolute path as sent; `*` for OPTIONS. Empty means `/` (absolute-form without a path, RFC 9110 §4.2.3).
  public internal(set) var path = ByteRange.empty
  /// Without `?`; nil when there was none.
  public internal(set) var query: ByteRange?
  /// Host and port: the `Host` field, which an absolute-form target must repeat. Empty only in HTTP/1.0.
  public internal(set) var authority = ByteRange.empty
  public internal(set) var isHTTP10 = false
  /// Field lines, without the empty line.
  public internal(set) var fieldLines = 0..<0
  public internal(set) var fields = FieldSection(isRequest: true)

  init() {}

  mutating func reset() {
    byteCount = 0
    method = .empty
    methodKind = .other
    path = .empty
    query = nil
    authority = .empty
    isHTTP10 = false
    fieldLines = 0..<0
    fields.reset()
  }

  /// Source: RFC 9112 §6.3.
  public var framing: BodyFraming {
    if fields.isChunked { return .chunked }
    guard let length = fields.contentLength, length > 0 else { return .none }
    return .length(length)
  }

  /// Whether the client wants the connection to live on. Source: RFC 9112 §9.3.
  public var isPersistent: Bool { !fields.asksToClose && (!isHTTP10 || fields.asksToKeepAlive) }
}

/// Reads one request head, from any number of partial receptions.
public struct RequestScanner: ~Copyable, Sendable {
  public private(set) var head = RequestHead()
  private var progress = HeadProgress()
  private let limits: WireLimits

  public init(limits: WireLimits = WireLimits()) { self.limits = limits }

  /// Makes ready for the next request.
  public mutating func reset() {
    head.reset()
    progress = HeadProgress()
  }

  /// Goes on reading.
  ///
  /// - Parameter bytes: the message from its first byte; each call has all bytes of the call before, and more.
  /// - Returns: whether the head is complete; if not, call again when more was received.
  /// - Throws: the message is refused; the connection is to be closed after the answer.
  public mutating func scan(_ bytes: Span<UInt8>) throws(WireError) -> Bool {
    guard progress.mayContinue(bytes) else {
      guard progress.fields > 0 || bytes.count &- progress.line <= limits.startLineBytes else { throw .requestLineTooLong }
      guard progress.fields == 0 || bytes.count &- progress.fields <= limits.fieldBytes else { throw .fieldsTooLarge }
      return false
    }
    if progress.fields == 0 {
      guard let end = try takeRequestLine(bytes) else { return false }
      progress.fields = end
      progress.finishLine(at: end)
    }
    guard let end = try progress.readFields(bytes, into: &head.fields, limits: limits) else { return false }
    try finish(bytes, end: end)
    return true
  }

  private mutating func finish(_ bytes: Span<UInt8>, end: Int) throws(WireError) {
    head.byteCount = end
    head.fieldLines = progress.fields..<end &- 2
    if head.isHTTP10 {
      guard !head.fields.isChunked else { throw .badTransferEncoding }
      // Source: RFC 9110 §10.1.1: an HTTP/1.0 client's expectation is ignored.
      head.fields.expectsContinue = false
    }
    if let host = head.fields.host {
      guard head.authority.isEmpty || bytes.equalIgnoringCase(head.authority, host) else { throw .badHost }
      head.authority = host
    } else {
      guard head.isHTTP10 else { throw .badHost }
    }
  }

  // MARK: Request line. Source: RFC 9112 §3.

  /// Longest method that is read; the longest registered one has 17 bytes.
  private static let methodBytesMax = 32

  private mutating func takeRequestLine(_ bytes: Span<UInt8>) throws(WireError) -> Int? {
    var position = progress.line
    // Source: RFC 9112 §2.2: one empty line before the request line is ignored.
    if position == 0, bytes.count > 1, bytes[0] == 0x0d, bytes[1] == 0x0a {
      position = 2
      progress.line = 2
    } else if bytes.count == 1, bytes[0] == 0x0d {
      return nil
    }
    let lineStart = position
    func more() throws(WireError) -> Int? {
      guard bytes.count &- lineStart <= limits.startLineBytes else { throw .requestLineTooLong }
      progress.wait(bytes)
      return nil
    }

    while position < bytes.count, ByteClass.isToken(bytes[position]) { position &+= 1 }
    guard position &- lineStart <= RequestScanner.methodBytesMax else { throw .badRequestLine }
    guard position < bytes.count else { return try more() }
    guard position > lineStart, bytes[position] == 0x20 else { throw .badRequestLine }
    let method = ByteRange(lineStart, position)

    position &+= 1
    let targetStart = position
    var queryStart = 0
    while position < bytes.count {
      let byte = bytes[position]
      guard byte &- 0x21 < 0x5e else { break }
      if byte == UInt8(ascii: "?"), queryStart == 0 { queryStart = position }
      // Source: RFC 9112 §3.2: a fragment is no part of a target.
      guard byte != UInt8(ascii: "#") else { throw .badTarget }
      position &+= 1
    }
    guard position < bytes.count else { return try more() }
    guard bytes[position] == 0x20 else { throw bytes[position] >= 0x80 ? .badTarget : .badRequestLine }
    let targetEnd = position
    guard targetEnd > targetStart else { throw .badRequestLine }

    position &+= 1
    guard position &+ 10 <= bytes.count else {
      // Enough is there to refuse early when what follows cannot be a version.
      for index in position..<bytes.count where bytes[index] == 0x0a { throw .badRequestLine }
      return try more()
    }
    guard bytes[position &+ 8] == 0x0d, bytes[position &+ 9] == 0x0a else { throw try versionError(bytes, position) }
    guard let minor = bytes.minorVersion(at: position) else { throw try versionError(bytes, position) }
    guard position &+ 10 &- lineStart <= limits.startLineBytes else { throw .requestLineTooLong }

    head.isHTTP10 = minor == 0
    head.method = method
    head.methodKind = bytes.methodKind(method)
    try takeTarget(bytes, ByteRange(targetStart, targetEnd), queryStart: queryStart)
    return position &+ 10
  }

  private func versionError(_ bytes: Span<UInt8>, _ start: Int) throws(WireError) -> WireError {
    let isVersion = bytes[start] == 0x48 && bytes[start &+ 1] == 0x54 && bytes[start &+ 2] == 0x54
      && bytes[start &+ 3] == 0x50 && bytes[start &+ 4] == 0x2f && ByteClass.isDigit(bytes[start &+ 5])
      && bytes[start &+ 6] == 0x2e && ByteClass.isDigit(bytes[start &+ 7])
      && bytes[start &+ 8] == 0x0d && bytes[start &+ 9] == 0x0a
    return isVersion ? .unsupportedVersion : .badRequestLine
  }

  /// Source: RFC 9112 §3.2.
  private mutating func takeTarget(_ bytes: Span<UInt8>, _ target: ByteRange, queryStart: Int) throws(WireError) {
    var pathStart = Int(target.start)
    let pathEnd = queryStart > 0 ? queryStart : Int(target.end)
    switch bytes[pathStart] {
    case UInt8(ascii: "/"):
      guard head.methodKind != .connect else { throw .badTarget }
    case UInt8(ascii: "*"):
      guard target.count == 1, head.methodKind == .options else { throw .badTarget }
    default:
      pathStart = try takeAuthority(bytes, pathStart, pathEnd)
    }
    head.path = ByteRange(pathStart, pathEnd)
    head.query = queryStart > 0 ? ByteRange(queryStart &+ 1, Int(target.end)) : nil
  }

  /// The authority of an absolute-form target.
  ///
  /// - Returns: where its path starts.
  private mutating func takeAuthority(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(WireError) -> Int {
    guard head.methodKind != .connect else { throw .badTarget }
    var position = start
    while position < end, bytes[position] != UInt8(ascii: ":") { position &+= 1 }
    let scheme = ByteRange(start, position)
    guard bytes.equalsIgnoringCase("http", scheme) || bytes.equalsIgnoringCase("https", scheme) else { throw .badTarget }
    guard position &+ 3 <= end, bytes[position &+ 1] == 0x2f, bytes[position &+ 2] == 0x2f else { throw .badTarget }
    position &+= 3
    let authorityStart = position
    while position < end, bytes[position] != UInt8(ascii: "/") { position &+= 1 }
    head.authority = ByteRange(authorityStart, position)
    guard bytes.isAuthority(head.authority) else { throw .badTarget }
    return position
  }
}

extension Span where Element == UInt8 {
  /// The minor digit of `HTTP/1.0` or `HTTP/1.1`; nil for anything else. The caller has checked that eight bytes are there.
  @inline(__always)
  func minorVersion(at start: Int) -> UInt8? {
    switch bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self).littleEndian {
    case 0x312e_312f_5054_5448: 1
    case 0x302e_312f_5054_5448: 0
    default: nil
    }
  }

  fileprivate func methodKind(_ method: ByteRange) -> MethodKind {
    func isMethod(_ name: StaticString) -> Bool {
      for index in 0..<method.count where self[Int(method.start) &+ index] != name.utf8Start[index] { return false }
      return true
    }
    // SAFETY: `isMethod` reads as many bytes of the literal as the method has, and each literal below has that many.
    return switch method.count {
    case 3: isMethod("GET") ? .get : isMethod("PUT") ? .put : .other
    case 4: isMethod("HEAD") ? .head : isMethod("POST") ? .post : .other
    case 5: isMethod("PATCH") ? .patch : isMethod("TRACE") ? .trace : .other
    case 6: isMethod("DELETE") ? .delete : .other
    case 7: isMethod("OPTIONS") ? .options : isMethod("CONNECT") ? .connect : .other
    default: .other
    }
  }
}
