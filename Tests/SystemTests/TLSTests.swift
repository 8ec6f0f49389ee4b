import Foundation
import TestCertificates
import Testing

private let certificates = TestCertificates.shared

/// TLS on both sides of the whole process, with clients and servers of other makers.
extension SystemTests {
  @Test("A TLS listener serves who verifies it; not TLS 1.1, not clear text, not a client whose certificate is missing")
  func tlsListener() throws {
    let (port, closedPort) = (try freePort(), try freePort())
    let deployment = try Deployment.starting {
      $0.replacing("listen:\n", with: """
        listen:
          - address: 127.0.0.1:\(port)
            tls:
              certificate: \(certificates.server.certificate)
              key: \(certificates.server.key)
              certificates: [{ certificate: \(certificates.wildcard.certificate), key: \(certificates.wildcard.key) }]
          - address: 127.0.0.1:\(closedPort)
            tls:
              certificate: \(certificates.server.certificate)
              key: \(certificates.server.key)
              client_ca: \(certificates.authority.certificate)
              client_auth: required

        """).replacing("clients:\n", with: """
        clients:
          - id: reporter
            authentication: tls_client_auth
            certificate: { subject_dn: "CN=reporter" }
            grants: [client_credentials]
            scopes: [photos.read]

        """)
    }
    let trusting = ["--cacert", certificates.authority.certificate]
    let tls11 = trusting + ["--tlsv1.1", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"]
    let identity = ["--cert", certificates.client.certificate, "--key", certificates.client.key]
    let strange = ["--cert", certificates.strangeClient.certificate, "--key", certificates.strangeClient.key]
    #expect(try curl("https://localhost:\(port)", tls11).errors.contains("alert protocol version"))
    #expect(try curl("https://localhost:\(port)", ["--cacert", certificates.otherAuthority.certificate]).status == 60)
    #expect(try curl("http://localhost:\(port)", []).status != 0)
    #expect(try curl("https://localhost:\(closedPort)", trusting).status != 0)
    #expect(try curl("https://localhost:\(closedPort)", trusting + strange).status != 0)

    let issuer = "\"issuer\":\"http://127.0.0.1:\(deployment.port)\""
    for version in [["--tls-max", "1.2"], ["--tlsv1.3"]] {
      let answer = try curl("https://localhost:\(port)", trusting + version)
      #expect(answer.status == 0 && answer.output.contains(issuer), "\(answer.errors)")
    }
    // The further certificate is for another host, and for no other. Source: RFC 9110 §15.5.20.
    let elsewhere = trusting + ["--resolve", "a.elsewhere.example:\(port):127.0.0.1"]
    #expect(try curl("https://a.elsewhere.example:\(port)", elsewhere).output.contains(issuer))
    #expect(try curl("https://a.elsewhere.example:\(port)", elsewhere + ["-H", "Host: localhost"]).errors.contains(" 421"))

    let known = try curl("https://127.0.0.1:\(closedPort)", trusting + identity)
    #expect(known.status == 0 && known.output.contains(issuer), "\(known.errors)")

    // RFC 8705 §2.1: the certificate is what the client authenticates by, and nothing else is.
    #expect(known.output.contains("tls_client_auth"))
    let form = ["-d", "grant_type=client_credentials&client_id=reporter"]
    let token = try curl("https://127.0.0.1:\(closedPort)", trusting + identity + form, "/oauth/token")
    #expect(token.output.contains("\"access_token\""), "\(token.errors)")
    #expect(try curl("https://localhost:\(port)", trusting + identity + form, "/oauth/token").errors.contains(" 401"))
  }

  @Test("A certificate that changes is read again; one that does not fit its key is refused, and the one before serves on")
  func certificateReload() throws {
    let port = try freePort()
    let files = FileManager.default.temporaryDirectory.appendingPathComponent("postern-reload-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: files) }
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    func install(_ certificate: String, _ key: String, as name: String = "tls") throws {
      try Data(contentsOf: URL(fileURLWithPath: certificate)).write(to: files.appendingPathComponent("\(name).crt"), options: .atomic)
      try Data(contentsOf: URL(fileURLWithPath: key)).write(to: files.appendingPathComponent("\(name).key"), options: .atomic)
    }
    try install(certificates.elsewhere.certificate, certificates.elsewhere.key, as: "other")
    try install(certificates.server.certificate, certificates.server.key)
    let deployment = try Deployment.starting {
      $0.replacing("listen:\n", with: """
        listen:
          - address: 127.0.0.1:\(port)
            tls:
              certificate: \(files.path)/tls.crt
              key: \(files.path)/tls.key
              certificates: [{ certificate: \(files.path)/other.crt, key: \(files.path)/other.key }]

        """)
    }
    func isServed(_ host: String) throws -> Bool {
      try curl(
        "https://\(host):\(port)", ["--cacert", certificates.authority.certificate, "--resolve", "\(host):\(port):127.0.0.1"]
      ).status == 0
    }
    func isTrusted(by authority: TestCertificates.Pair) throws -> Bool {
      try curl("https://localhost:\(port)", ["--cacert", authority.certificate]).status == 0
    }
    #expect(try isTrusted(by: certificates.authority))
    #expect(try isServed("elsewhere.example") && !isServed("a.elsewhere.example"))
    try install(certificates.wildcard.certificate, certificates.wildcard.key, as: "other")
    deployment.processes[0].hangUp()
    try deployment.waitUntil("the further certificate is served") { try isServed("a.elsewhere.example") }

    try install(certificates.stranger.certificate, certificates.server.key)
    deployment.processes[0].hangUp()
    try deployment.waitUntil("the refusal is logged") {
      deployment.processes[0].logText.contains("certificate not usable: the one before serves on")
    }
    #expect(try isTrusted(by: certificates.authority))
    let check = try deployment.postern("check")
    #expect(check.status != 0 && (check.output + check.errors).contains("\(files.path)/tls.key"))

    try install(certificates.stranger.certificate, certificates.stranger.key)
    deployment.processes[0].hangUp()
    try deployment.waitUntil("the new certificate is served") { try isTrusted(by: certificates.otherAuthority) }
    #expect(try !isTrusted(by: certificates.authority))
    #expect(try deployment.postern("check").status == 0)
  }

  @Test("An https upstream is verified with its own authorities, and gets the request; another's certificate gets 502")
  func tlsUpstream() throws {
    let upstream = try PythonTLSServer(certificates.server)
    let deployment = try Deployment.starting {
      $0.replacing("upstreams:\n", with: """
        upstreams:
          good: { servers: ["https://localhost:\(upstream.port)"], ca: \(certificates.authority.certificate) }
          wrong-ca: { servers: ["https://localhost:\(upstream.port)"], ca: \(certificates.otherAuthority.certificate) }
          system-ca: { servers: ["https://localhost:\(upstream.port)"] }

        """) + ["good", "wrong-ca", "system-ca"].map { name in
          """
            - name: \(name)
              match: { path: /\(name)/** }
              require: { scopes: [photos.read] }
              credential: { kind: none }
              upstream: \(name)

          """
        }.joined()
    }
    let bearer = ["Authorization": "Bearer \(try deployment.serviceToken())"]
    for name in ["wrong-ca", "system-ca"] {
      let refused = try HTTPClient.get(port: deployment.port, "/\(name)/x", fields: bearer)
      #expect(refused.status == 502)
      #expect(refused.field("Proxy-Status") == "postern; error=tls_certificate_error")
    }
    #expect(deployment.processes[0].logText.contains("unable to get local issuer certificate"))
    for _ in 0..<3 {
      let answer = try HTTPClient.get(port: deployment.port, "/good/x", fields: bearer)
      #expect(answer.status == 200 && answer.text == "GET /good/x over TLSv1.3", "\(answer.text)")
    }
  }

  /// Asks, for the metadata document unless told otherwise, whatever proxy the environment names.
  private func curl(
    _ origin: String, _ arguments: [String], _ path: String = "/.well-known/oauth-authorization-server"
  ) throws -> Finished {
    try Finished.run(
      URL(fileURLWithPath: "/usr/bin/env"),
      ["curl", "-sS", "--max-time", "20", "--fail", "--noproxy", "*"] + arguments
        + ["\(origin)\(path)"])
  }
}

/// Python's `http.server` behind its `ssl` module: says what it was asked, and by which version.
private final class PythonTLSServer {
  let port: Int
  private let process = Process()

  init(_ pair: TestCertificates.Pair) throws {
    let program = """
      import http.server, ssl, sys
      class Handler(http.server.BaseHTTPRequestHandler):
          protocol_version = "HTTP/1.1"
          def do_GET(self):
              body = f"GET {self.path} over {self.connection.version()}".encode()
              self.send_response(200)
              self.send_header("Content-Length", str(len(body)))
              self.end_headers()
              self.wfile.write(body)
      server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[1], sys.argv[2])
      server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
      print(server.server_address[1], flush=True)
      server.serve_forever()
      """
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", program, pair.certificate, pair.key]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  deinit {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
