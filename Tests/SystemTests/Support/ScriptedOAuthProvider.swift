import Foundation
import Synchronization

/// Another company's authorization server and API on loopback: it asks nobody, rotates strictly and counts what it is asked.
final class ScriptedOAuthProvider: Sendable {
  struct Counts: Sendable {
    var codes = 0
    var refreshes = 0
    var revocations = 0
    var calls = 0
  }

  private struct State {
    var counts = Counts()
    /// The PKCE challenge of each code that was given and not used.
    var challenges: [String: String] = [:]
    var accessToken = ""
    /// Those that the API takes.
    var accessTokens: Set<String> = []
    var refreshToken = ""
    var isRefreshRefused = false
    /// What came to `/hook`: signature fields and body.
    var hooks: [(id: String, timestamp: String, signature: String, body: String)] = []
    var areCallsRefused = false
    /// Seconds that access tokens after the first live.
    let lifetime: Int
    var interruption: Interruption?
  }

  let port: Int
  private let listener: Int32
  private let state: Mutex<State>
  /// Seconds that the first access token lives.
  private let firstLifetime: Int

  init(firstLifetime: Int, laterLifetime: Int = 3600) throws {
    self.firstLifetime = firstLifetime
    state = Mutex(State(lifetime: laterLifetime))
    port = try freePort()
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    // SAFETY: a sockaddr_in is passed with its own size.
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, listen(listener, 256) == 0 else { throw Failure(description: "the scripted provider cannot listen") }
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread { [self] in serve(connection) }
      }
    }
  }

  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  var counts: Counts { state.withLock { $0.counts } }
  var accessToken: String { state.withLock { $0.accessToken } }
  /// Webhooks that came, in their order.
  var hooks: [(id: String, timestamp: String, signature: String, body: String)] { state.withLock { $0.hooks } }
  var tokens: [String] { state.withLock { [$0.accessToken, $0.refreshToken] } }

  /// The refresh token that another broker has had.
  func grantElsewhere() -> String {
    state.withLock {
      $0.refreshToken = "box-refresh-\(UUID().uuidString)"
      return $0.refreshToken
    }
  }

  /// The user has taken Postern's access away here.
  func refuseRefreshes() { state.withLock { $0.isRefreshRefused = true } }

  /// The access tokens so far have ended before their time.
  func endAccessTokens() { state.withLock { $0.accessTokens = [] } }

  /// The API takes no token any more.
  func refuseCalls() { state.withLock { $0.areCallsRefused = true } }

  /// Something that happens while it is asked for a refresh, whose answer then never arrives.
  struct Interruption: Sendable {
    /// Whether it has dealt with the request by then.
    let isLate: Bool
    let action: @Sendable () -> Void
  }

  /// Interrupts the next refresh.
  func interrupt(late isLate: Bool, _ action: @escaping @Sendable () -> Void) {
    state.withLock { $0.interruption = Interruption(isLate: isLate, action: action) }
  }

  // MARK: HTTP

  private func serve(_ connection: Int32) {
    defer { close(connection) }
    var received = Data()
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    let end = Data("\r\n\r\n".utf8)
    while true {
      if let head = received.range(of: end) {
        let text = String(decoding: received[..<head.lowerBound], as: UTF8.self)
        let length = Self.field("content-length", text).flatMap { Int($0) } ?? 0
        if received.count - head.upperBound >= length {
          return answer(connection, text, String(decoding: received[head.upperBound...], as: UTF8.self))
        }
      }
      let count = read(connection, &buffer, buffer.count)
      guard count > 0 else { return }
      received.append(contentsOf: buffer[..<count])
    }
  }

  private static func field(_ name: String, _ head: String) -> String? {
    let line = head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("\(name):") }
    return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
  }

  private func answer(_ connection: Int32, _ head: String, _ body: String) {
    let target = String(head.split(separator: " ")[1])
    let answer: (status: Int, fields: String, content: String)? =
      switch target.split(separator: "?")[0] {
      case "/authorize": authorize(target)
      case "/token": token(body, Self.field("authorization", head))
      case "/revoke": revoke()
      case "/hook": hook(head, body)
      default: call(Self.field("authorization", head))
      }
    guard let (status, fields, content) = answer else { return }
    let text = "HTTP/1.1 \(status) X\r\nConnection: close\r\nContent-Length: \(content.utf8.count)\r\n\(fields)\r\n\(content)"
    _ = text.withCString { write(connection, $0, strlen($0)) }
  }

  // MARK: OAuth

  private func authorize(_ target: String) -> (Int, String, String) {
    let asked = Browser.parameters(of: target)
    let code = UUID().uuidString
    state.withLock { $0.challenges[code] = asked["code_challenge"] ?? "" }
    return (302, "Location: \(asked["redirect_uri"] ?? "")?code=\(code)&state=\(asked["state"] ?? "")\r\n", "")
  }

  private func token(_ body: String, _ authorization: String?) -> (Int, String, String)? {
    let form = Browser.parameters(of: "?\(body)")
    let interruption = form["grant_type"] == "refresh_token" ? state.withLock { $0.interruption.take() } : nil
    if let interruption, !interruption.isLate {
      interruption.action()
      return nil
    }
    let answer = deal(with: form, authorization)
    guard let interruption else { return answer }
    interruption.action()
    return nil
  }

  private func deal(with form: [String: String], _ authorization: String?) -> (Int, String, String) {
    func refusal(_ code: String) -> (Int, String, String) { (400, "Content-Type: application/json\r\n", #"{"error":"\#(code)"}"#) }
    guard authorization?.hasPrefix("Basic ") == true else { return refusal("invalid_client") }
    if form["grant_type"] == "refresh_token" { Thread.sleep(forTimeInterval: 0.3) }  // long enough for all to arrive
    return state.withLock { state in
      var lifetime = state.lifetime
      if form["grant_type"] == "authorization_code" {
        let proof = Browser.Proof(verifier: form["code_verifier"] ?? "")
        guard let challenge = state.challenges.removeValue(forKey: form["code"] ?? ""), challenge == proof.challenge else {
          return refusal("invalid_grant")
        }
        state.counts.codes += 1
        lifetime = firstLifetime
      } else {
        state.counts.refreshes += 1
        guard form["refresh_token"] == state.refreshToken, !state.isRefreshRefused else { return refusal("invalid_grant") }
      }
      state.accessToken = "box-access-\(UUID().uuidString)"
      state.accessTokens.insert(state.accessToken)
      state.refreshToken = "box-refresh-\(UUID().uuidString)"
      return (
        200, "Content-Type: application/json\r\n",
        #"{"access_token":"\#(state.accessToken)","refresh_token":"\#(state.refreshToken)","token_type":"Bearer","expires_in":\#(lifetime)}"#
      )
    }
  }

  private func hook(_ head: String, _ body: String) -> (Int, String, String) {
    func field(_ name: String) -> String { Self.field(name, head) ?? "" }
    state.withLock {
      $0.hooks.append((field("webhook-id"), field("webhook-timestamp"), field("webhook-signature"), body))
    }
    return (204, "", "")
  }

  private func revoke() -> (Int, String, String) {
    state.withLock { $0.counts.revocations += 1 }
    return (200, "", "")
  }

  private func call(_ authorization: String?) -> (Int, String, String) {
    state.withLock { state in
      state.counts.calls += 1
      let token = authorization.map { String($0.dropFirst("Bearer ".count)) } ?? ""
      return state.accessTokens.contains(token) && !state.areCallsRefused ? (200, "", token) : (401, "", "")
    }
  }
}
