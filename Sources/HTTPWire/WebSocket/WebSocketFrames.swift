/// Follows the frames that a WebSocket server sends, by their headers only, so that whoever stands between knows where a
/// frame of its own may be put in: between two frames, also within a message of several. Source: RFC 6455 §5.2, §5.4.
public struct WebSocketFrames: Sendable {
  private enum Step: Sendable {
    /// FIN, RSV and opcode. Next: `length`.
    case opcode
    /// Mask bit and seven bits of length. Next: `extendedLength`, `payload`, `opcode`, `lost`.
    case length
    /// Two or eight bytes. Next: `payload`, `opcode`, `lost`.
    case extendedLength
    /// Next: `opcode`.
    case payload
    /// What came is not what a server sends; nothing can be said any more.
    case lost
  }

  private var step = Step.opcode
  private var opcode: UInt8 = 0
  private var lengthBytesLeft = 0
  private var payloadLeft: UInt64 = 0
  private var hasClosed = false

  public init() {}

  /// Whether everything so far was whole frames, and no close frame was among them: nothing may follow that one.
  public var takesAnother: Bool {
    if case .opcode = step { return !hasClosed }
    return false
  }

  /// Takes note of the bytes that come next.
  public mutating func note(_ bytes: Span<UInt8>) {
    var position = 0
    while position < bytes.count {
      switch step {
      case .opcode:
        opcode = bytes[position] & 0x0f
        position &+= 1
        step = .length
      case .length:
        takeLength(bytes[position])
        position &+= 1
      case .extendedLength:
        payloadLeft = payloadLeft << 8 | UInt64(bytes[position])
        position &+= 1
        lengthBytesLeft &-= 1
        if lengthBytesLeft == 0 { beginPayload() }
      case .payload:
        let taken = min(payloadLeft, UInt64(bytes.count &- position))
        position &+= Int(taken)
        payloadLeft &-= taken
        if payloadLeft == 0 { endFrame() }
      case .lost: return
      }
    }
  }

  private mutating func takeLength(_ byte: UInt8) {
    // Source: RFC 6455 §5.1: a server masks nothing.
    guard byte & 0x80 == 0 else { return step = .lost }
    switch byte {
    case 126: lengthBytesLeft = 2
    case 127: lengthBytesLeft = 8
    default:
      payloadLeft = UInt64(byte)
      return beginPayload()
    }
    payloadLeft = 0
    step = .extendedLength
  }

  private mutating func beginPayload() {
    if payloadLeft == 0 { return endFrame() }
    // Source: RFC 6455 §5.2: the most significant bit must be 0.
    step = payloadLeft >> 63 == 0 ? .payload : .lost
  }

  private mutating func endFrame() {
    if opcode == 8 { hasClosed = true }
    step = .opcode
  }
}

/// Why Postern itself ends a WebSocket. Source: RFC 6455 §7.4.1.
public enum WebSocketCloseCode: UInt16, Sendable {
  /// The server goes away.
  case goingAway = 1001
  /// What the connection rests on, such as the access token, has ended.
  case policyViolation = 1008

  /// The whole close frame of a server: not masked. Source: RFC 6455 §5.5.1.
  public func frame(reason: StaticString) -> [UInt8] {
    // Source: RFC 6455 §5.5: a control frame has at most 125 bytes, of which the code is two.
    precondition(reason.utf8CodeUnitCount <= 123, "a reason fits into a control frame")
    return reason.withUTF8Buffer { text in
      [0x88, UInt8(2 + text.count), UInt8(rawValue >> 8), UInt8(rawValue & 0xff)] + text
    }
  }
}
