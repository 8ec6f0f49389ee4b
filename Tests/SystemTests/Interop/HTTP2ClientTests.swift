import Foundation
import TestCertificates
import Testing

/// HTTP/2 as others speak it: curl, and nghttp2's own clients.
extension SystemTests {
  private static let curl = ForeignClient("curl")
  private static let nghttp = ForeignClient("nghttp")
  private static let h2load = ForeignClient("h2load")
  private static let certificates = TestCertificates.shared

  /// With a TLS listener beside the plain one.
  private func deployment() throws -> (deployment: Deployment, secure: String, plain: String) {
    let port = try freePort()
    let deployment = try Deployment.starting {
      $0.replacing("listen:\n", with: """
        listen:
          - address: 127.0.0.1:\(port)
            tls: { certificate: \(Self.certificates.server.certificate), key: \(Self.certificates.server.key) }

        """)
    }
    try deployment.startCloudVault()
    return (deployment, "https://localhost:\(port)", "http://127.0.0.1:\(deployment.port)")
  }

  @Test(
    "RFC 9113 §3: curl gets HTTP/2 by ALPN and by prior knowledge, HTTP/1.1 where it wants that or asks to upgrade clear text",
    .enabled(if: curl.isUsable))
  func curlSpeaksHTTP2() throws {
    let (deployment, secure, plain) = try deployment()
    let bearer = ["-H", "Authorization: Bearer \(try deployment.serviceToken())"]
    func ask(_ url: String, _ arguments: [String]) throws -> String {
      try Self.curl.run(
        ["-sS", "--max-time", "20", "--noproxy", "*", "--cacert", Self.certificates.authority.certificate]
          + ["-o", "/dev/null", "-w", "%{http_version} %{response_code}"] + arguments + [url]).output
    }
    for (url, arguments, version) in [
      (secure, [], "2"), (secure, ["--http2"], "2"), (secure, ["--http1.1"], "1.1"), (plain, ["--http2-prior-knowledge"], "2"),
      // Source: RFC 9113 §3.1: that upgrade is no more.
      (plain, ["--http2"], "1.1"), (plain, [], "1.1"),
    ] {
      #expect(try ask("\(url)/photos", bearer + arguments) == "\(version) 200", "\(url) \(arguments)")
      #expect(try ask("\(url)/photos", arguments) == "\(version) 401")
      #expect(try ask("\(url)/oauth/token", arguments + ["-d", "grant_type=client_credentials"]) == "\(version) 401")
    }
    // A form of one's own endpoint, as content of a stream.
    let form = arguments(of: deployment.nightlyReport) + ["-d", "grant_type=client_credentials"]
    #expect(try ask("\(secure)/oauth/token", form) == "2 200")
  }

  @Test("RFC 9113: nghttp is served over both, many requests on one connection, and told why it is refused", .enabled(if: nghttp.isUsable))
  func nghttpIsServed() throws {
    let (deployment, secure, plain) = try deployment()
    let bearer = "Authorization: Bearer \(try deployment.serviceToken())"
    for origin in [secure, plain] {
      // `-n` takes the content off, `-v` shows every frame, `-m` asks so many times at once.
      let served = try Self.nghttp.run(["-nv", "-t", "20", "-m", "8", "-H", bearer, "\(origin)/photos"]).output
      #expect(served.components(separatedBy: ":status: 200").count == 9, "\(served.suffix(2000))")
      #expect(!served.contains("RST_STREAM") && !served.contains("error_code=PROTOCOL_ERROR"))
      let refused = try Self.nghttp.run(["-v", "-t", "20", "\(origin)/photos"]).output
      #expect(refused.contains(":status: 401") && refused.lowercased().contains("www-authenticate: bearer"))
    }
  }

  @Test("RFC 9113 §5: of thousands of requests of h2load, many at once on few connections, every one is answered", .enabled(if: h2load.isUsable))
  func h2loadIsAnswered() throws {
    let (deployment, secure, plain) = try deployment()
    let bearer = "Authorization: Bearer \(try deployment.serviceToken())"
    for origin in [secure, plain] {
      let load = try Self.h2load.run(["-n", "2000", "-c", "4", "-m", "32", "-T", "20", "-H", bearer, "\(origin)/plain/healthz"]).output
      #expect(load.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(load)")
      #expect(load.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"))
    }
    #expect(deployment.warnings.isEmpty, "\(deployment.warnings)")
  }

  private func arguments(of fields: [String: String]) -> [String] { fields.flatMap { ["-H", "\($0.key): \($0.value)"] } }
}

/// A program of others. Where it is missing, tests with it are skipped; continuous integration must have it.
struct ForeignClient {
  private let name: String
  let isUsable: Bool

  private static let env = URL(fileURLWithPath: "/usr/bin/env")

  init(_ name: String) {
    self.name = name
    let isInstalled = (try? Finished.run(Self.env, [name, "--version"]))?.status == 0
    isUsable = isInstalled || ProcessInfo.processInfo.environment["CI"] != nil
  }

  func run(_ arguments: [String]) throws -> Finished { try Finished.run(Self.env, [name] + arguments) }
}
