import EventLoop
import OAuthCore

/// Writes the time of log lines, RFC 3339 in UTC with milliseconds; everything but those is made once a second.
struct LogClock {
  private var second = Int64.min
  private var text: [UInt8] = []

  mutating func append(_ now: Timestamp, to line: inout ByteQueue) {
    if now.seconds != second {
      second = now.seconds
      text = LogClock.text(second)
    }
    line.append(text)
    let milliseconds = UInt64((now.microseconds - second * 1_000_000) / 1000)
    line.append(UInt8(ascii: "."))
    line.append(0x30 + UInt8(milliseconds / 100))
    line.append(0x30 + UInt8(milliseconds / 10 % 10))
    line.append(0x30 + UInt8(milliseconds % 10))
    line.append(UInt8(ascii: "Z"))
  }

  private static func text(_ unixSeconds: Int64) -> [UInt8] {
    let (year, month, day) = DateField.civil(unixSeconds / 86_400)
    let second = Int(unixSeconds % 86_400)
    let parts = [month, day, second / 3600, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
    return Array("\(year)-\(parts[0])-\(parts[1])T\(parts[2]):\(parts[3]):\(parts[4])".utf8)
  }
}
