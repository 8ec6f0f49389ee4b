import Foundation

/// Certificates as files, made with the `openssl` command once per test process and deleted with it.
public final class TestCertificates: Sendable {
  public static let shared = TestCertificates()

  public struct Pair: Sendable {
    public let certificate: String
    public let key: String

    public init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  public let folder: URL

  /// Of an authority that the tests trust, and of one that they do not.
  public let authority: Pair
  public let otherAuthority: Pair
  /// For `localhost` and `127.0.0.1`, by `authority`.
  public let server: Pair
  /// The same names and authority, another key.
  public let renewedServer: Pair
  /// For `elsewhere.example` only.
  public let elsewhere: Pair
  /// For every host one label below `elsewhere.example`, and for `[::1]`.
  public let wildcard: Pair
  /// No alternative name; its subject's common name is `localhost`.
  public let commonNameOnly: Pair
  public let expired: Pair
  public let selfSigned: Pair
  /// By `otherAuthority`.
  public let stranger: Pair
  /// Of a client named `reporter`, by `authority` and by `otherAuthority`.
  public let client: Pair
  public let strangeClient: Pair
  /// By `authority`, for servers and for nothing else.
  public let serverOnly: Pair

  private init() {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-certificates-\(UUID().uuidString)")
    try! FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let maker = Maker(folder: folder)
    authority = maker.authority("authority")
    otherAuthority = maker.authority("other-authority")
    let local = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    server = maker.leaf("server", by: authority, local)
    renewedServer = maker.leaf("renewed", by: authority, local)
    elsewhere = maker.leaf("elsewhere", by: authority, "subjectAltName=DNS:elsewhere.example")
    wildcard = maker.leaf("wildcard", by: authority, "subjectAltName=DNS:*.elsewhere.example,IP:::1")
    commonNameOnly = maker.leaf("common-name", by: authority, "basicConstraints=CA:FALSE", subject: "localhost")
    expired = maker.leaf("expired", by: authority, local, days: -1)
    selfSigned = maker.leaf("self-signed", by: nil, local)
    stranger = maker.leaf("stranger", by: otherAuthority, local)
    client = maker.leaf("client", by: authority, "extendedKeyUsage=clientAuth", subject: "reporter")
    strangeClient = maker.leaf("strange-client", by: otherAuthority, "extendedKeyUsage=clientAuth", subject: "reporter")
    serverOnly = maker.leaf("server-only", by: authority, "extendedKeyUsage=serverAuth")
    atexit { try? FileManager.default.removeItem(at: TestCertificates.shared.folder) }
  }
}

extension TestCertificates {
  /// The SHA-256 of the certificate's DER form, by a program other than the one under test.
  public static func fingerprint(of certificate: String) -> [UInt8] {
    let line = Maker.openssl(["x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"])
    let digits = line.split(separator: "=").last?.split(whereSeparator: { ":\n".contains($0) }) ?? []
    return digits.compactMap { UInt8($0, radix: 16) }
  }
}

private struct Maker {
  let folder: URL

  func authority(_ name: String) -> TestCertificates.Pair {
    let pair = pair(name)
    Maker.openssl(
      ["req", "-x509", "-days", "2", "-subj", "/CN=\(name)", "-keyout", pair.key, "-out", pair.certificate]
        + Maker.newKey + ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"])
    return pair
  }

  /// - Parameter issuer: nil: the certificate signs itself.
  func leaf(
    _ name: String, by issuer: TestCertificates.Pair?, _ fields: String, subject: String? = nil, days: Int = 2
  ) -> TestCertificates.Pair {
    let pair = pair(name)
    let request = folder.appendingPathComponent("\(name).csr").path
    let extensions = folder.appendingPathComponent("\(name).ext").path
    try! fields.write(toFile: extensions, atomically: true, encoding: .utf8)
    Maker.openssl(["req", "-new", "-subj", "/CN=\(subject ?? "leaf")", "-keyout", pair.key, "-out", request] + Maker.newKey)
    let signer = issuer.map { ["-CA", $0.certificate, "-CAkey", $0.key, "-CAcreateserial"] } ?? ["-signkey", pair.key]
    Maker.openssl(
      ["x509", "-req", "-in", request, "-out", pair.certificate, "-days", String(days), "-extfile", extensions] + signer)
    return pair
  }

  private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

  private func pair(_ name: String) -> TestCertificates.Pair {
    TestCertificates.Pair(
      certificate: folder.appendingPathComponent("\(name).pem").path, key: folder.appendingPathComponent("\(name).key").path)
  }

  @discardableResult
  static func openssl(_ arguments: [String]) -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try! process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    precondition(process.terminationStatus == 0, "openssl \(arguments.joined(separator: " ")) failed")
    return text
  }
}
