import EventLoop
import Glibc

/// The environment variables of this process.
enum ProcessEnvironment {
  static var variables: [String: String] {
    var variables: [String: String] = [:]
    // SAFETY: `environ` is a null-terminated array of null-terminated strings; nothing here changes it.
    var entry = environ
    while let text = entry.pointee {
      let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      entry += 1
    }
    return variables
  }
}

/// Small files, read whole.
enum FileContent {
  /// Bytes. What a configuration names is never larger.
  static let byteCountMax = 1 << 20

  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemCallError("open") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw SystemCallError("read") }
      if count == 0 { return content }
      content += buffer[..<count]
      guard content.count <= byteCountMax else { throw CommandFailure("\(path) is larger than \(byteCountMax) bytes") }
    }
  }
}
