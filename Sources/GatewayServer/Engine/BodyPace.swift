import EventLoop

/// How fast bytes come or go, told over stretches of time: whoever drips is as good as silent.
///
/// Told only when bytes move; silence has deadlines of its own.
struct BodyPace {
  private let bytesPerSecond: Int
  /// Nanoseconds.
  private let stretch: Int64
  private var since: Int64 = 0
  private var bytes = 0

  init(bytesPerSecond: Int, stretch: Duration) {
    self.bytesPerSecond = bytesPerSecond
    self.stretch = stretch.nanoseconds
  }

  /// Starts the first stretch.
  mutating func begin(at now: Int64) {
    since = now
    bytes = 0
  }

  /// - Returns: false when a stretch ends with these bytes and was slower than the minimum rate.
  mutating func note(_ count: Int, at now: Int64) -> Bool {
    bytes &+= count
    let passed = now &- since
    guard passed >= stretch else { return true }
    let isFastEnough = Double(bytes) * 1e9 >= Double(bytesPerSecond) * Double(passed)
    begin(at: now)
    return isFastEnough
  }
}
