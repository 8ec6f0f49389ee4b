import Foundation
import Testing

/// `websocket_peer.py` in a Python that has `websockets`: `POSTERN_PYTHON`, else the `python3` of the path.
final class StreamPeer {
  private let process = Process()
  private let input = Pipe()
  private let output: URL
  private var linesRead = 0

  static let isInstalled = (try? Finished.run(env, [python, "-c", "import websockets"]))?.status == 0

  /// Continuous integration must have the peer, so there the tests run and fail; elsewhere they are skipped.
  static var isRequired: Bool { ProcessInfo.processInfo.environment["CI"] != nil }

  private static let env = URL(fileURLWithPath: "/usr/bin/env")
  private static let python = ProcessInfo.processInfo.environment["POSTERN_PYTHON"] ?? "python3"

  init(_ arguments: String...) throws {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("websocket_peer.py")
    output = FileManager.default.temporaryDirectory.appendingPathComponent("postern-peer-\(UUID().uuidString)")
    try Data().write(to: output)
    process.executableURL = Self.env
    process.arguments = [Self.python, script.path] + arguments
    process.standardInput = input
    process.standardOutput = try FileHandle(forWritingTo: output)
    try process.run()
  }

  deinit {
    // Not SIGTERM: the thread that starts a process may block it, and the process inherits that.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: output)
  }

  /// The next line that the peer says.
  func next() throws -> String {
    for _ in 0..<3000 {
      // Before reading: what it said last is read though it has ended since.
      let isRunning = process.isRunning
      let lines = try String(contentsOf: output, encoding: .utf8).components(separatedBy: "\n").dropLast()
      if lines.count > linesRead {
        linesRead += 1
        return lines[linesRead - 1]
      }
      guard isRunning else { break }
      usleep(10_000)
    }
    throw Failure(description: "the peer said nothing more")
  }

  /// The next line as an object.
  func nextObject() throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: Data(try next().utf8)) as? [String: Any] ?? [:]
  }
}
