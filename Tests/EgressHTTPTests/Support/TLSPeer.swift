import Foundation

/// `openssl s_server` with a self-signed certificate; answers every connection with one fixed response.
final class TLSPeer {
  let certificate: String
  let port: UInt16
  private let directory: URL
  private let process = Process()

  struct Unavailable: Error {}

  /// - Parameter name: the DNS name in the certificate.
  init(name: String) throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("postern-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    certificate = directory.appendingPathComponent("certificate.pem").path
    let key = directory.appendingPathComponent("key.pem").path
    try Self.run([
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
      "-out", certificate, "-days", "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)",
    ])
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    // Read by the server once a client is there.
    input.fileHandleForWriting.write(Data("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\n".utf8))
    port = try Self.port(in: output.fileHandleForReading)
  }

  deinit {
    // Not SIGTERM: the child has inherited the signal mask of the thread that started it, which may block it.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: directory)
  }

  /// The server prints `ACCEPT 127.0.0.1:PORT`.
  private static func port(in output: FileHandle) throws -> UInt16 {
    var text = ""
    while true {
      let data = output.availableData
      guard !data.isEmpty else { throw Unavailable() }
      text += String(decoding: data, as: UTF8.self)
      guard let accept = text.range(of: "ACCEPT 127.0.0.1:") else { continue }
      let digits = text[accept.upperBound...].prefix { $0.isNumber }
      if digits.endIndex < text.endIndex, let port = UInt16(digits) { return port }
    }
  }

  private static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Unavailable() }
  }
}
