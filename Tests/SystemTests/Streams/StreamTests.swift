import Foundation
import Testing

extension SystemTests {
  @Test(
    "A token revoked at one instance ends its WebSocket and its event stream at another within a second",
    .enabled(if: StreamPeer.isInstalled || StreamPeer.isRequired))
  func revokedStreams() throws {
    let server = try StreamPeer("serve")
    let ports = try server.nextObject()
    let deployment = try Deployment.starting(processes: 2) { text in
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
          - name: events
            match: { path: /events, methods: [GET] }
            require: { scopes: [photos.read] }
            upstream: events

        """)
    }
    let (here, there) = (deployment.processes[0].port, deployment.processes[1].port)
    for format in ["opaque", "jwt"] {
      let token = try format == "jwt" ? deployment.serviceJWT() : deployment.serviceToken(port: here)
      let client = try StreamPeer("visit", "ws://127.0.0.1:\(there)/socket", "\(there)", "/events", token)
      #expect(try client.next() == "\"ready\"")
      let fields = format == "jwt" ? [:] : deployment.nightlyReport
      let form = [("token", token)] + (format == "jwt" ? deployment.jwtReport : [])
      #expect(try HTTPClient.post(port: here, "/oauth/revoke", form: form, fields: fields).status == 200)
      let revokedAt = Date().timeIntervalSince1970
      var ended: [String: Any] = [:]
      for _ in 0..<2 {
        let line = try client.nextObject()
        let at = try #require(line["at"] as? Double)
        #expect(at - revokedAt < 1)
        ended.merge(line) { $1 }
      }
      // Source: RFC 6455 §7.4.1.
      #expect(ended["websocket"] as? Int == 1008)
      #expect(ended["events_complete"] as? Bool == false)
    }
  }
}
