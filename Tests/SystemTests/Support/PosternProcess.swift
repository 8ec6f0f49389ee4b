import Foundation

/// A running `postern serve`, as an operator would start it; its standard error is kept in a file.
final class PosternProcess: @unchecked Sendable {
  // SAFETY: set up once in `init`; `Process` is only signalled and waited for afterwards.
  let port: Int
  let adminPort: Int
  let log: URL
  private let process = Process()

  static var binary: URL {
    if let path = ProcessInfo.processInfo.environment["POSTERN_BINARY"] { return URL(fileURLWithPath: path) }
    return built("postern")
  }

  /// The example of Postern with one more grant.
  static var customGrantServer: URL { built("custom-grant-server") }

  /// An executable of this package: beside the test bundle, where `swift build --build-tests` puts it.
  private static func built(_ name: String) -> URL {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
    return (bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])).deletingLastPathComponent().appendingPathComponent(name)
  }

  init(
    program: URL, configuration: URL, environment: [String: String], port: Int, adminPort: Int, log: URL
  ) throws {
    self.port = port
    self.adminPort = adminPort
    self.log = log
    try Data().write(to: log)
    process.executableURL = program
    process.arguments = ["serve", "--config", configuration.path]
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: log)
    try process.run()
  }

  /// Waits until `/readyz` answers 200.
  func waitUntilReady(seconds: Double = 60) throws {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
      if let answer = try? HTTPClient.get(port: adminPort, "/readyz"), answer.status == 200 { return }
      guard process.isRunning else { throw Failure(description: "postern ended: \(logText.suffix(2000))") }
      usleep(20_000)
    }
    throw Failure(description: "not ready after \(seconds) s: \(logText.suffix(2000))")
  }

  var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }
  var isRunning: Bool { process.isRunning }

  /// SIGHUP.
  func hangUp() { Foundation.kill(process.processIdentifier, SIGHUP) }

  /// `kill -9`.
  func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// SIGTERM.
  func terminate() { Foundation.kill(process.processIdentifier, SIGTERM) }

  /// SIGTERM, then waits; the exit status.
  @discardableResult
  func stop() -> Int32 {
    guard process.isRunning else { return process.terminationStatus }
    Foundation.kill(process.processIdentifier, SIGTERM)
    process.waitUntilExit()
    return process.terminationStatus
  }

  deinit {
    if process.isRunning { kill() }
  }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// Runs a program to its end.
struct Finished {
  let status: Int32
  let output: String
  let errors: String

  static func run(
    _ program: URL, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
  ) throws -> Finished {
    let process = Process()
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Files instead of pipes: nothing blocks, however much is written.
    func file(_ name: String, _ content: String = "") throws -> URL {
      let url = folder.appendingPathComponent(name)
      try content.write(to: url, atomically: false, encoding: .utf8)
      return url
    }
    let output = try file("output")
    let errors = try file("errors")
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = try FileHandle(forReadingFrom: file("input", input ?? ""))
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Finished(
      status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }
}

/// A port nobody listens on at this moment.
func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let status = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
    }
  }
  guard status else { throw Failure(description: "no free port") }
  return Int(UInt16(bigEndian: address.sin_port))
}
