/// The opening handshake of the WebSocket protocol, as one who stands between the ends has to see it.
///
/// Strict: what is not exactly a handshake is none, and the message is what it would be without `Upgrade`, a field that
/// whoever gets it may ignore (RFC 9110 §7.8).
public enum WebSocketHandshake {
  /// Appended to the key before it is digested. Source: RFC 6455 §1.3.
  public static let acceptSuffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  /// What a request, well-formed as HTTP, lacks to be an opening handshake.
  public enum Refusal: Error, Sendable, Equatable {
    /// No `Connection: upgrade`: nothing but a request.
    case unasked
    /// Not a GET of HTTP/1.1 without a body.
    case badRequest
    /// Not one `Upgrade` that names `websocket` and nothing else.
    case otherProtocol
    /// Not one `Sec-WebSocket-Version` that says 13.
    case badVersion
    /// Not one `Sec-WebSocket-Key` of 16 bytes in base64, or one that `Connection` has taken off.
    case badKey
  }

  /// Where the key of an opening handshake lies. Source: RFC 6455 §4.2.1.
  public static func key(of head: borrowing RequestHead, _ bytes: Span<UInt8>) throws(Refusal) -> ByteRange {
    guard head.fields.asksToUpgrade else { throw .unasked }
    guard head.methodKind == .get, !head.isHTTP10, head.framing == .none else { throw .badRequest }
    var upgrade: ByteRange?
    var version: ByteRange?
    var key: FieldLine?
    var lines = FieldLines(head.fieldLines)
    while let line = lines.next(bytes) {
      if bytes.isFieldName(line.name, "upgrade") {
        guard upgrade == nil else { throw .otherProtocol }
        upgrade = line.value
      } else if bytes.isFieldName(line.name, "sec-websocket-version") {
        guard version == nil else { throw .badVersion }
        version = line.value
      } else if bytes.isFieldName(line.name, "sec-websocket-key") {
        guard key == nil else { throw .badKey }
        key = line
      }
    }
    guard let upgrade, bytes.equalsIgnoringCase("websocket", upgrade) else { throw .otherProtocol }
    guard let version, bytes.equalsIgnoringCase("13", version) else { throw .badVersion }
    guard let key, bytes.isWebSocketKey(key.value), !head.fields.cuts.contains(Int(key.name.start)) else { throw .badKey }
    return key.value
  }

  /// Whether a 101 answers an opening handshake. Source: RFC 6455 §4.1, the client's checks 2 to 4; RFC 9110 §8.6 and
  /// RFC 9112 §6.1 for what frames no 1xx.
  ///
  /// - Parameter accept: the digest of the key, in base64.
  public static func isAccepted(by head: borrowing ResponseHead, _ bytes: Span<UInt8>, accept: [UInt8]) -> Bool {
    guard head.status == 101, !head.isHTTP10, head.fields.asksToUpgrade else { return false }
    guard head.fields.contentLength == nil, !head.fields.isChunked else { return false }
    var upgradeCount = 0
    var acceptCount = 0
    var lines = FieldLines(head.fieldLines)
    while let line = lines.next(bytes) {
      if bytes.isFieldName(line.name, "upgrade") {
        guard bytes.equalsIgnoringCase("websocket", line.value) else { return false }
        upgradeCount += 1
      } else if bytes.isFieldName(line.name, "sec-websocket-accept") {
        guard bytes.equals(accept, line.value), !head.fields.cuts.contains(Int(line.name.start)) else { return false }
        acceptCount += 1
      }
    }
    return upgradeCount == 1 && acceptCount == 1
  }
}

extension CutList {
  /// Whether what stands there is not forwarded.
  fileprivate func contains(_ position: Int) -> Bool {
    for index in 0..<count where self[index].range.contains(position) { return true }
    return false
  }
}

extension Span where Element == UInt8 {
  /// 16 bytes in base64: 22 characters and two of padding. Source: RFC 6455 §4.1, requirement 7; RFC 4648 §4.
  fileprivate func isWebSocketKey(_ value: ByteRange) -> Bool {
    guard value.count == 24, self[Int(value.end) &- 1] == 0x3d, self[Int(value.end) &- 2] == 0x3d else { return false }
    for index in Int(value.start)..<Int(value.end) &- 2 {
      let byte = self[index]
      let isLetter = (byte | 0x20) &- 0x61 < 26
      guard isLetter || ByteClass.isDigit(byte) || byte == 0x2b || byte == 0x2f else { return false }
    }
    return true
  }

  fileprivate func equals(_ expected: [UInt8], _ value: ByteRange) -> Bool {
    guard value.count == expected.count else { return false }
    for index in expected.indices where self[Int(value.start) &+ index] != expected[index] { return false }
    return true
  }
}

extension WebSocketHandshake.Refusal {
  /// One sentence for whoever wonders why nothing was upgraded.
  public var sentence: String {
    switch self {
    case .unasked: "Connection does not name upgrade."
    case .badRequest: "An upgrade starts with a GET of HTTP/1.1 without a body."
    case .otherProtocol: "Upgrade must name websocket, once and alone."
    case .badVersion: "Sec-WebSocket-Version must be 13."
    case .badKey: "Sec-WebSocket-Key must be 16 bytes in base64, once."
    }
  }
}
