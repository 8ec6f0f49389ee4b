/// The head of one request of HTTP/2, field by field, on its way to the bytes of an HTTP/1.1 head.
///
/// Refuses whatever RFC 9113 §8 calls malformed and whatever a line of HTTP/1.1 would say differently, so that the bytes
/// hold one request and mean what the fields meant; all other rules are those of `RequestScanner`, which reads the bytes.
/// Made once per connection: the field blocks of its streams come one after the other (RFC 9113 §4.3).
public struct HTTP2RequestHead: Sendable {
  private enum Pseudo: Int { case method, scheme, authority, path, `protocol` }

  private let fieldBytesMax: Int
  private var pseudo: InlineArray<5, Range<Int>?> = .init(repeating: nil)
  /// Values of pseudo-fields, one behind the other.
  private var values: [UInt8] = []
  private var host: Range<Int>?
  private var lines: [UInt8] = []
  private var cookie: [UInt8] = []
  private var contentLength: UInt64?
  private var hasRegular = false
  private var listBytes = 0

  /// The whole HTTP/1.1 head, once `finish` has written it.
  public private(set) var bytes: [UInt8] = []
  public private(set) var isHeadMethod = false
  /// Whether the client says so by `te`, which belongs to its own connection (RFC 9113 §8.2.2).
  public private(set) var acceptsTrailers = false
  /// Whether the content is gRPC's. Source: gRPC over HTTP/2, Requests.
  public private(set) var isGRPC = false

  /// - Parameter fieldBytesMax: of the head that is written. A longer one is cut behind the limit, where the scanner
  ///   refuses it as too large.
  public init(fieldBytesMax: Int) { self.fieldBytesMax = fieldBytesMax }

  /// Makes ready for the next request.
  public mutating func reset() {
    pseudo = .init(repeating: nil)
    values.removeAll(keepingCapacity: true)
    host = nil
    lines.removeAll(keepingCapacity: true)
    cookie.removeAll(keepingCapacity: true)
    contentLength = nil
    hasRegular = false
    listBytes = 0
    isHeadMethod = false
    acceptsTrailers = false
    isGRPC = false
  }

  /// Takes the next field.
  ///
  /// - Throws: the request is malformed, or `enhanceYourCalm` when the connection is to be ended.
  public mutating func take(name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    try HTTP2FieldRules.count(name, value, in: &listBytes, limit: fieldBytesMax)
    guard HTTP2FieldRules.isValue(value) else { throw .protocolError }
    if name.count > 0, name[0] == UInt8(ascii: ":") { return try takePseudo(name, value) }
    hasRegular = true
    guard HTTP2FieldRules.isName(name), !HTTP2FieldRules.isConnectionSpecific(name) else { throw .protocolError }
    let range = ByteRange(0, name.count)
    if name.equalsIgnoringCase("host", range) {
      guard host == nil else { throw .protocolError }
      host = keep(value)
    } else if name.equalsIgnoringCase("cookie", range) {
      takeCookie(value)
    } else if name.equalsIgnoringCase("te", range) {
      // Source: RFC 9113 §8.2.2.
      guard value.equalsIgnoringCase("trailers", ByteRange(0, value.count)) else { throw .protocolError }
      acceptsTrailers = true
    } else if name.equalsIgnoringCase("sec-websocket-key", range) {
      // Source: RFC 8441 §5: the stream stands for what the key is for.
    } else {
      if name.equalsIgnoringCase("content-type", range) {
        isGRPC = value.count >= 16 && value.equalsIgnoringCase("application/grpc", ByteRange(0, 16))
      } else if name.equalsIgnoringCase("content-length", range) {
        guard contentLength == nil, let length = value.contentLength(ByteRange(0, value.count)) else { throw .protocolError }
        contentLength = length
      }
      append(name, value)
    }
  }

  /// Source: RFC 9113 §8.3: before all other fields, each once, and none that is not defined.
  private mutating func takePseudo(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(HTTP2ErrorCode) {
    let range = ByteRange(0, name.count)
    let kind: Pseudo
    switch name.count {
    case 5 where name.equalsIgnoringCase(":path", range): kind = .path
    case 7 where name.equalsIgnoringCase(":method", range): kind = .method
    case 7 where name.equalsIgnoringCase(":scheme", range): kind = .scheme
    case 9 where name.equalsIgnoringCase(":protocol", range): kind = .protocol
    case 10 where name.equalsIgnoringCase(":authority", range): kind = .authority
    default: throw .protocolError
    }
    guard !hasRegular, pseudo[kind.rawValue] == nil, value.count > 0, isPlain(name) else { throw .protocolError }
    pseudo[kind.rawValue] = keep(value)
  }

  /// Names compare without case above; in HTTP/2 there is none.
  private func isPlain(_ name: Span<UInt8>) -> Bool { HTTP2FieldRules.isName(name.extracting(droppingFirst: 1)) }

  private mutating func keep(_ value: Span<UInt8>) -> Range<Int> {
    let start = values.count
    value.withUnsafeBufferPointer { values.append(contentsOf: $0) }
    return start..<values.count
  }

  /// Source: RFC 9113 §8.2.3.
  private mutating func takeCookie(_ crumb: Span<UInt8>) {
    guard cookie.count <= fieldBytesMax else { return }
    if !cookie.isEmpty { cookie.append(contentsOf: "; ".utf8) }
    crumb.withUnsafeBufferPointer { cookie.append(contentsOf: $0) }
  }

  private mutating func append(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    if lines.count <= fieldBytesMax { HTTP2FieldRules.append(name, value, to: &lines) }
  }

  // MARK: Writing

  /// Writes the head into `bytes`.
  ///
  /// - Parameters:
  ///   - endsStream: nothing follows the head.
  ///   - webSocketKey: for the opening handshake of HTTP/1.1 that stands for one of HTTP/2.
  public mutating func finish(endsStream: Bool, webSocketKey: () -> String) throws(HTTP2ErrorCode) -> HTTP2Framing {
    guard let method = pseudo[Pseudo.method.rawValue], isToken(method) else { throw .protocolError }
    if let kind = pseudo[Pseudo.protocol.rawValue] {
      return try finishTunnel(method, to: kind, endsStream: endsStream, key: webSocketKey())
    }
    isHeadMethod = values[method].elementsEqual("HEAD".utf8)
    let target = try target(of: method)
    let framing = try framing(endsStream: endsStream)
    try begin(values[method], target)
    // Source: RFC 9110 §8.6: said where the method leads a server to expect content.
    if endsStream, contentLength == nil, expectsContent(method) { bytes.append(contentsOf: "content-length: 0\r\n".utf8) }
    if framing == .chunked { bytes.append(contentsOf: "transfer-encoding: chunked\r\n".utf8) }
    bytes.append(contentsOf: "\r\n".utf8)
    return framing
  }

  /// Writes everything but the end.
  private mutating func begin(_ method: some Sequence<UInt8>, _ target: Range<Int>) throws(HTTP2ErrorCode) {
    let authority = try authority()
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: method)
    bytes.append(0x20)
    bytes.append(contentsOf: values[target])
    bytes.append(contentsOf: " HTTP/1.1\r\nhost: ".utf8)
    bytes.append(contentsOf: values[authority])
    bytes.append(contentsOf: "\r\n".utf8)
    if !cookie.isEmpty {
      bytes.append(contentsOf: "cookie: ".utf8)
      bytes.append(contentsOf: cookie)
      bytes.append(contentsOf: "\r\n".utf8)
    }
    bytes.append(contentsOf: lines)
  }

  /// An extended CONNECT to a WebSocket, as the opening handshake of HTTP/1.1 that asks for the same.
  ///
  /// Source: RFC 8441 §4, §5.
  private mutating func finishTunnel(
    _ method: Range<Int>, to kind: Range<Int>, endsStream: Bool, key: String
  ) throws(HTTP2ErrorCode) -> HTTP2Framing {
    guard values[method].elementsEqual("CONNECT".utf8), values[kind].elementsEqual("websocket".utf8) else { throw .protocolError }
    guard let scheme = pseudo[Pseudo.scheme.rawValue], isHTTP(scheme), !endsStream, contentLength == nil else {
      throw .protocolError
    }
    try begin("GET".utf8, try path())
    bytes.append(contentsOf: "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ".utf8)
    bytes.append(contentsOf: key.utf8)
    bytes.append(contentsOf: "\r\n\r\n".utf8)
    return .tunnel
  }

  /// Source: RFC 9113 §8.3.1, and §8.5 for CONNECT, which is written as HTTP/1.1 writes it and refused as there.
  private func target(of method: Range<Int>) throws(HTTP2ErrorCode) -> Range<Int> {
    let scheme = pseudo[Pseudo.scheme.rawValue]
    if values[method].elementsEqual("CONNECT".utf8) {
      guard scheme == nil, pseudo[Pseudo.path.rawValue] == nil, let authority = pseudo[Pseudo.authority.rawValue] else {
        throw .protocolError
      }
      return authority
    }
    guard let scheme, isHTTP(scheme) else { throw .protocolError }
    return try path(mayBeAsterisk: values[method].elementsEqual("OPTIONS".utf8))
  }

  private func path(mayBeAsterisk: Bool = false) throws(HTTP2ErrorCode) -> Range<Int> {
    guard let path = pseudo[Pseudo.path.rawValue] else { throw .protocolError }
    let isAsterisk = mayBeAsterisk && values[path].elementsEqual("*".utf8)
    guard isAsterisk || values[path.lowerBound] == UInt8(ascii: "/") else { throw .protocolError }
    for index in path where values[index] &- 0x21 >= 0x5e || values[index] == UInt8(ascii: "#") { throw .protocolError }
    return path
  }

  /// `:authority`, which a `Host` field must repeat, or the `Host` of a request that was one of HTTP/1.1.
  ///
  /// Source: RFC 9113 §8.3.1.
  private func authority() throws(HTTP2ErrorCode) -> Range<Int> {
    guard let authority = pseudo[Pseudo.authority.rawValue] ?? host, isAuthority(authority) else { throw .protocolError }
    if let host {
      let start = ByteRange(authority.lowerBound, authority.upperBound)
      guard values.span.equalIgnoringCase(start, ByteRange(host.lowerBound, host.upperBound)) else { throw .protocolError }
    }
    return authority
  }

  private func framing(endsStream: Bool) throws(HTTP2ErrorCode) -> HTTP2Framing {
    guard endsStream else { return contentLength.map { .length($0) } ?? .chunked }
    // Source: RFC 9113 §8.1.1.
    guard contentLength ?? 0 == 0 else { throw .protocolError }
    return .none
  }

  private func expectsContent(_ method: Range<Int>) -> Bool {
    let method = values[method]
    return method.elementsEqual("POST".utf8) || method.elementsEqual("PUT".utf8) || method.elementsEqual("PATCH".utf8)
  }

  private func isToken(_ range: Range<Int>) -> Bool { values[range].allSatisfy(ByteClass.isToken) }

  private func isHTTP(_ range: Range<Int>) -> Bool {
    values[range].elementsEqual("https".utf8) || values[range].elementsEqual("http".utf8)
  }

  private func isAuthority(_ range: Range<Int>) -> Bool {
    values.span.isAuthority(ByteRange(range.lowerBound, range.upperBound))
  }
}

extension HTTP2ErrorCode: Error {}
