import Foundation
import Testing

extension SystemTests {
  /// - Parameter access: further members of both routes, in lines of their own.
  private func deployment(before server: StreamPeer, access: String = "") throws -> Deployment {
    let ports = try server.nextObject()
    return try Deployment.starting(processes: 2) { text in
      text.replacing("upstreams:\n", with: """
        upstreams:
          sockets: { servers: ["http://127.0.0.1:\(ports["websocket"] ?? 0)"] }
          events: { servers: ["http://127.0.0.1:\(ports["events"] ?? 0)"] }

        """
      ).replacing("routes:\n", with: """
        routes:
          - name: sockets
            match: { path: /socket, methods: [GET] }
            require: { scopes: [photos.read] }
            upstream: sockets
            streams: { websocket: true }
        \(access)
          - name: events
            match: { path: /events, methods: [GET] }
            require: { scopes: [photos.read] }
            upstream: events
        \(access)

        """)
    }
  }

  /// Expects the WebSocket and the event stream of a client to end within a second of `time`, as what was revoked.
  private func expectEnds(of client: StreamPeer, after time: Double) throws {
    var ended: [String: Any] = [:]
    for _ in 0..<2 {
      let line = try client.nextObject()
      let at = try #require(line["at"] as? Double)
      #expect(at - time < 1)
      ended.merge(line) { $1 }
    }
    // Source: RFC 6455 §7.4.1.
    #expect(ended["websocket"] as? Int == 1008)
    #expect(ended["events_complete"] as? Bool == false)
  }

  @Test(
    "A token revoked at one instance ends its WebSocket and its event stream at another within a second",
    .enabled(if: StreamPeer.isInstalled || StreamPeer.isRequired))
  func revokedStreams() throws {
    let server = try StreamPeer("serve")
    let deployment = try deployment(before: server)
    let (here, there) = (deployment.processes[0].port, deployment.processes[1].port)
    for format in ["opaque", "jwt"] {
      let token = try format == "jwt" ? deployment.serviceJWT() : deployment.serviceToken(port: here)
      let client = try StreamPeer.visiting(port: there, fields: ["Authorization": "Bearer \(token)"])
      #expect(try client.next() == "\"ready\"")
      let fields = format == "jwt" ? [:] : deployment.nightlyReport
      let form = [("token", token)] + (format == "jwt" ? deployment.jwtReport : [])
      #expect(try HTTPClient.post(port: here, "/oauth/revoke", form: form, fields: fields).status == 200)
      try expectEnds(of: client, after: Date().timeIntervalSince1970)
    }
  }

  @Test(
    "Signing out at one instance ends the session's WebSockets and event streams there and at another within a second",
    .enabled(if: StreamPeer.isInstalled || StreamPeer.isRequired))
  func signedOutStreams() throws {
    let server = try StreamPeer("serve")
    let deployment = try deployment(before: server, access: """
          accept: [self, session]
          session: { scopes: [photos.read] }
      """)
    var browser = Browser(deployment)
    let page = try browser.visit("GET", "/login")
    let form = Browser.hiddenFields(of: page.text) + [("username", "alice"), ("password", deployment.password)]
    #expect(try browser.visit("POST", "/login", form: form).status == 303)
    let cookie = "postern=\(try #require(browser.cookieValues.first))"
    // A page of another site cannot open one. Source: RFC 6455 §10.2.
    let foreign = try HTTPClient.get(port: deployment.port, "/socket", fields: [
      "Cookie": cookie, "Origin": "https://evil.example", "Connection": "Upgrade", "Upgrade": "websocket",
    ])
    #expect(foreign.status == 403)
    let clients = try deployment.processes.map {
      try StreamPeer.visiting(port: $0.port, fields: ["Cookie": cookie, "Origin": browser.origin])
    }
    for client in clients { #expect(try client.next() == "\"ready\"") }
    let account = try browser.visit("GET", "/account")
    let csrf = Browser.hiddenFields(of: account.text).filter { $0.0 == "csrf" }
    #expect(try browser.visit("POST", "/logout", form: csrf).status == 303)
    let signedOutAt = Date().timeIntervalSince1970
    for client in clients { try expectEnds(of: client, after: signedOutAt) }
  }
}

extension StreamPeer {
  /// Opens both streams at an instance.
  fileprivate static func visiting(port: Int, fields: [String: String]) throws -> StreamPeer {
    let fields = String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
    return try StreamPeer("visit", "ws://127.0.0.1:\(port)/socket", "\(port)", "/events", fields)
  }
}
