/// How the end of a body is found. Source: RFC 9112 §6.3.
public enum BodyFraming: Sendable, Equatable {
  case none
  /// Exactly so many bytes, at least one.
  case length(UInt64)
  case chunked
  /// Until the sender closes; responses only.
  case untilClose
}

/// Follows one body through the bytes that carry it; the same for both directions.
public struct BodyReader: Sendable {
  /// What one step found.
  public struct Step: Sendable, Equatable {
    /// Bytes that belong to the message; 0: more must be received before anything can be said.
    public var wireCount: Int
    /// The part of them that is content, chunk framing left out.
    public var content: Range<Int>
  }

  private enum State: Sendable {
    case complete
    case counting(UInt64)
    case chunked(ChunkReader)
    case untilClose
  }

  private var state: State
  /// Bytes of the trailer section, with its empty line, once the body is complete: the last of the step that completed it.
  public private(set) var trailerByteCount = 0

  public init(_ framing: BodyFraming = .none) {
    state = switch framing {
    case .none: .complete
    case .length(let length): .counting(length)
    case .chunked: .chunked(ChunkReader())
    case .untilClose: .untilClose
    }
  }

  /// Whether the last byte of the message was seen. Never true for `untilClose`: there, only closing ends the body.
  public var isComplete: Bool {
    if case .complete = state { return true }
    return false
  }

  public var endsWithConnection: Bool {
    if case .untilClose = state { return true }
    return false
  }

  /// Takes the next stretch of the body: at most one run of content.
  public mutating func advance(_ bytes: Span<UInt8>) throws(WireError) -> Step {
    switch state {
    case .complete: return Step(wireCount: 0, content: 0..<0)
    case .untilClose: return Step(wireCount: bytes.count, content: 0..<bytes.count)
    case .counting(let left):
      let count = left < UInt64(bytes.count) ? Int(left) : bytes.count
      state = left == UInt64(count) ? .complete : .counting(left - UInt64(count))
      return Step(wireCount: count, content: 0..<count)
    case .chunked(var reader):
      let step = try reader.advance(bytes)
      state = reader.isComplete ? .complete : .chunked(reader)
      trailerByteCount = reader.trailerByteCount
      return step
    }
  }

  /// Takes as much of the body as is there.
  ///
  /// - Returns: how many of `bytes` belong to the message; what is left over is the next message's, or has to wait for more.
  public mutating func advanceAll(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    var taken = 0
    while taken < bytes.count, !isComplete {
      let step = try advance(bytes.extracting(droppingFirst: taken))
      if step.wireCount == 0 { break }
      taken &+= step.wireCount
    }
    return taken
  }
}
