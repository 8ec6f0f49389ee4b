import Foundation
import JSON
import Testing

/// joserfc in a Python process: `POSTERN_PYTHON`, else the `python3` of the path.
enum Peer {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  static let isInstalled: Bool = (try? run(["-c", "import joserfc"], input: [])) != nil

  /// Continuous integration must have the peer, so there the tests run and fail; elsewhere they are skipped.
  static var isRequired: Bool { ProcessInfo.processInfo.environment["CI"] != nil }

  static func ask(_ request: JSONObject) throws -> JSONObject {
    guard isInstalled else {
      throw Failure(description: "joserfc cannot be imported: pip install joserfc, and set POSTERN_PYTHON to that python")
    }
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "joserfc_peer.py")
    let output = try run([script.path()], input: request.bytes)
    guard let answer = try JSON(parsing: output).object else { throw Failure(description: "the peer's answer is no object") }
    return answer
  }

  private static func run(_ arguments: [String], input: [UInt8]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [ProcessInfo.processInfo.environment["POSTERN_PYTHON"] ?? "python3"] + arguments
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    (process.standardInput, process.standardOutput, process.standardError) = (stdin, stdout, stderr)
    try process.run()
    // Requests and answers are far below the 64 KiB that a pipe holds, so nobody waits for the other's reading.
    try stdin.fileHandleForWriting.write(contentsOf: Data(input))
    try stdin.fileHandleForWriting.close()
    let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
    let complaint = try stderr.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(description: String(decoding: complaint, as: UTF8.self)) }
    return Array(output)
  }
}
