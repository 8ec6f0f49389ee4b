/// Follows the chunked coding, byte by byte if need be. Source: RFC 9112 §7.1.
struct ChunkReader: Sendable {
  /// Where the reader stands; each case names what may come next.
  private enum State: Sendable {
    /// First digit of a chunk size.
    case size
    /// More digits, `;` or CR.
    case moreSize
    /// An extension, up to CR.
    case extensions(ChunkExtension)
    /// LF after the size line.
    case sizeLineFeed
    /// Content bytes; `left` counts down.
    case content
    /// CR after the content.
    case contentReturn
    /// LF after the content: then the next size.
    case contentLineFeed
    /// Trailer section and the empty line, read in one piece.
    case trailers
    case complete
  }

  /// Digits of a chunk size: 15 keep it below 2^60. Leading zeros count.
  private static let sizeDigitsMax = 15
  /// Extension bytes of a whole body. They mean nothing to anyone, so a body made of them is an attack.
  private static let extensionBytesMax = 4 << 10
  private static let trailerLimits: WireLimits = {
    var limits = WireLimits()
    limits.fieldBytes = 8 << 10
    limits.fieldCount = 32
    return limits
  }()

  private var state = State.size
  private var digits = 0
  private var left: UInt64 = 0
  private var extensionBytes = 0
  private(set) var trailerByteCount = 0

  var isComplete: Bool {
    if case .complete = state { return true }
    return false
  }

  mutating func advance(_ bytes: Span<UInt8>) throws(WireError) -> BodyReader.Step {
    var position = 0
    while position < bytes.count {
      switch state {
      case .content:
        let end = left < UInt64(bytes.count &- position) ? position &+ Int(left) : bytes.count
        left &-= UInt64(end &- position)
        if left == 0 { state = .contentReturn }
        return BodyReader.Step(wireCount: end, content: position..<end)
      case .trailers:
        let count = try trailers(bytes.extracting(droppingFirst: position))
        if count > 0 { state = .complete }
        trailerByteCount = count
        return BodyReader.Step(wireCount: position &+ count, content: 0..<0)
      case .complete:
        return BodyReader.Step(wireCount: position, content: 0..<0)
      default:
        try framing(bytes[position])
        position &+= 1
      }
    }
    return BodyReader.Step(wireCount: position, content: 0..<0)
  }

  private mutating func framing(_ byte: UInt8) throws(WireError) {
    switch (state, byte) {
    case (.size, _) where ByteClass.hexValue(byte) != nil,
      (.moreSize, _) where ByteClass.hexValue(byte) != nil:
      guard let digit = ByteClass.hexValue(byte), digits < ChunkReader.sizeDigitsMax else { throw .badChunk }
      digits &+= 1
      left = left << 4 | UInt64(digit)
      state = .moreSize
    case (.moreSize, UInt8(ascii: ";")): state = .extensions(ChunkExtension())
    case (.moreSize, 0x0d): state = .sizeLineFeed
    case (.extensions(let part), 0x0d) where part.mayEnd: state = .sizeLineFeed
    case (.extensions(var part), _):
      extensionBytes &+= 1
      guard extensionBytes <= ChunkReader.extensionBytesMax else { throw .chunkExtensionsTooLarge }
      try part.take(byte)
      state = .extensions(part)
    case (.sizeLineFeed, 0x0a):
      digits = 0
      state = left == 0 ? .trailers : .content
    case (.contentReturn, 0x0d): state = .contentLineFeed
    case (.contentLineFeed, 0x0a): state = .size
    default: throw .badChunk
    }
  }

  /// Reads the trailer section once all of it is there, so that no forbidden field gets out in part.
  ///
  /// - Returns: its bytes with the empty line; 0 when more must be received.
  private func trailers(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    var position = 0
    var count = 0
    while position < bytes.count {
      if bytes[position] == 0x0d {
        guard position &+ 1 < bytes.count else { break }
        guard bytes[position &+ 1] == 0x0a, position <= ChunkReader.trailerLimits.fieldBytes else { throw .badTrailers }
        return position &+ 2
      }
      guard let line = try FieldLine(bytes, at: position) else { break }
      guard TrailerFields.mayHold(bytes, line.name) else { throw .badTrailers }
      count &+= 1
      position = line.end
      guard count <= ChunkReader.trailerLimits.fieldCount else { throw .badTrailers }
    }
    guard bytes.count <= ChunkReader.trailerLimits.fieldBytes else { throw .badTrailers }
    return 0
  }
}
