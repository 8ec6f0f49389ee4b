import CLinux
import Glibc
import JSON
import Logging
import OAuthCore

/// Writes one JSON object a line to standard error: `time`, `level`, `logger`, `message`, then the metadata.
struct JSONLogHandler: LogHandler {
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  private let label: String

  init(label: String, level: Logger.Level) {
    self.label = label
    logLevel = level
  }

  /// Makes every logger of the process write this way.
  ///
  /// - Parameter level: `POSTERN_LOG`, one of trace, debug, info, warning, error; anything else is refused.
  static func bootstrap(level: String?) throws(CommandFailure) {
    guard let level = Logger.Level(rawValue: level ?? "info") else {
      throw CommandFailure("POSTERN_LOG is '\(level ?? "")'; it takes trace, debug, info, warning or error")
    }
    LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line: JSONObject = [
      "time": .string(Self.time(Timestamp(microseconds: postern_unix_microseconds()))),
      "level": .string(event.level.rawValue),
      "logger": .string(label),
      "message": .string(event.message.description),
    ]
    for (name, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
      line[name] = .string(value.description)
    }
    LogWriter.standardError.append(line.bytes + [0x0a])
  }

  /// RFC 3339, UTC, milliseconds.
  static func time(_ moment: Timestamp) -> String {
    var seconds = time_t(moment.seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
    let milliseconds = (moment.microseconds - moment.seconds * 1_000_000) / 1000
    let fraction = String(milliseconds + 1000).dropFirst()
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) + ".\(fraction)Z"
  }
}
