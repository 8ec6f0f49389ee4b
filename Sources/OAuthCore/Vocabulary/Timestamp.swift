/// A moment of wall-clock time, in microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable {
  public var microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }
  public init(seconds: Int64) { microseconds = seconds * 1_000_000 }

  /// Whole seconds, rounded down: the `NumericDate` of RFC 7519 §2.
  public var seconds: Int64 { microseconds >= 0 ? microseconds / 1_000_000 : (microseconds - 999_999) / 1_000_000 }

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

  public static func + (left: Timestamp, right: Duration) -> Timestamp {
    let (seconds, attoseconds) = right.components
    return Timestamp(microseconds: left.microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
  }

  public static func - (left: Timestamp, right: Duration) -> Timestamp { left + (Duration.zero - right) }

  public static func - (left: Timestamp, right: Timestamp) -> Duration {
    .microseconds(left.microseconds - right.microseconds)
  }
}

/// Tells the time. Passed in everywhere, so that tests own it.
public protocol WallClock: Sendable {
  var now: Timestamp { get }
}
