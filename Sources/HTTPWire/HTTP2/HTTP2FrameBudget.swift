/// Counts what a peer sends that costs it little and makes others work: control frames, continuations, streams that end
/// before their answer. Looks at frame headers only, before anything else does, so that the limits are ours alone.
///
/// Source: RFC 9113 §10.5; CVE-2019-9512, 9515, 9518 (PING, SETTINGS, empty frames), CVE-2023-44487 (rapid reset),
/// CVE-2024-28182 (CONTINUATION), CVE-2025-8671 (resets that the server is made to send).
public struct HTTP2FrameBudget: Sendable {
  public struct Limits: Sendable, Hashable {
    /// SETTINGS, PING, PRIORITY, RST_STREAM, unknown frames, and DATA that carries next to nothing, in one interval.
    public var controlFrames: Int
    /// Streams that either side reset, in one interval.
    public var resets: Int

    public init(controlFrames: Int, resets: Int) {
      self.controlFrames = controlFrames
      self.resets = resets
    }
  }

  /// Nanoseconds over which frames are counted together.
  public static let interval: Int64 = 10_000_000_000
  /// Of one field block: four times what the largest blocks need that clients make.
  private static let continuationsMax = 8
  /// `PRI * HTTP/2.0`, blank line, `SM`, blank line. Source: RFC 9113 §3.4.
  public static let prefaceBytes = 24
  private static let headerBytes = 9

  private let limits: Limits
  private var startedAt: Int64
  private var controlFrames = 0
  private var resets = 0
  private var continuations = 0
  private var header: InlineArray<9, UInt8> = .init(repeating: 0)
  private var headerCount = 0
  /// Bytes until the next frame header: of the preface, or of a payload.
  private var left: Int

  /// - Parameter hasPreface: whether the client's preface comes first.
  public init(limits: Limits, hasPreface: Bool, now: Int64) {
    self.limits = limits
    startedAt = now
    left = hasPreface ? HTTP2FrameBudget.prefaceBytes : 0
  }

  /// Takes note of received bytes.
  ///
  /// - Returns: false when the peer has sent too much of something.
  public mutating func take(_ bytes: Span<UInt8>, at now: Int64) -> Bool {
    begin(at: now)
    var position = 0
    while position < bytes.count {
      if left > 0 {
        let count = min(left, bytes.count &- position)
        left &-= count
        position &+= count
        continue
      }
      header[headerCount] = bytes[position]
      headerCount &+= 1
      position &+= 1
      if headerCount == HTTP2FrameBudget.headerBytes {
        headerCount = 0
        guard takeFrame() else { return false }
      }
    }
    return true
  }

  /// A stream ended by RST_STREAM, whoever sent it.
  ///
  /// - Returns: false when too many did.
  public mutating func noteReset(at now: Int64) -> Bool {
    begin(at: now)
    resets &+= 1
    return resets <= limits.resets
  }

  private mutating func begin(at now: Int64) {
    guard now &- startedAt >= HTTP2FrameBudget.interval else { return }
    startedAt = now
    controlFrames = 0
    resets = 0
  }

  /// Source: RFC 9113 §4.1, §6.
  private mutating func takeFrame() -> Bool {
    left = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
    let endsStream = header[4] & 0x1 != 0
    switch header[3] {
    case 0x0 where left > 1 || endsStream, 0x1, 0x5, 0x7, 0x8: continuations = 0
    case 0x9:
      continuations &+= 1
      return continuations <= HTTP2FrameBudget.continuationsMax
    default:
      controlFrames &+= 1
      return controlFrames <= limits.controlFrames
    }
    return true
  }
}
