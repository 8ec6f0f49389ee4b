import Configuration
import ReverseProxy
import Testing

/// How an upstream's servers are chosen, and how the process takes leave of those who chose it.
@Suite("Configuration of servers")
struct ServerSelectionTests {
  @Test("An upstream's servers may be balanced, asked how they are, left out, spared and tried again")
  func loadsServerSelection() throws {
    let text = Fixture.valid.replacing("    servers: [\"http://127.0.0.1:8081\"]", with: """
          servers: ["http://127.0.0.1:8081", "http://127.0.0.1:8082"]
          balance: round_robin
          health: { path: "/healthz?deep", every: 5s, timeout: 1s, healthy_after: 1, unhealthy_after: 4, expect: [204, 3xx] }
          ejection: { after: 7, for: 1m, share: 100% }
          limits: { requests: 100, pending: 20, wait: 2s }
          retries: { attempts: 1, budget: 5%, on: [connect_failure, 503] }
      """).replacing("keys:\n", with: "shutdown: { delay: 0s, drain: 5s }\nkeys:\n")
    let configuration = try Fixture.load(text)
    #expect(configuration.shutdown.delay == .zero && configuration.shutdown.drain == .seconds(5))
    let upstream = configuration.upstreams[0]
    #expect(upstream.balance == .roundRobin)
    var health = HealthCheck(path: "/healthz?deep")
    (health.interval, health.timeout, health.healthyAfter, health.unhealthyAfter) = (.seconds(5), .seconds(1), 1, 4)
    health.expected = [204...204, 300...399]
    #expect(upstream.health == health)
    #expect(upstream.ejection.after == 7 && upstream.ejection.period == .seconds(60) && upstream.ejection.share == 100)
    #expect(upstream.limits.requests == 100 && upstream.limits.pending == 20 && upstream.limits.wait == .seconds(2))
    #expect(upstream.retries.attempts == 1 && upstream.retries.budget == 5)
    #expect(upstream.retries.causes == [.connectFailure, .serviceUnavailable])
  }

  private static let server = "servers: [\"http://127.0.0.1:8081\"]"

  static let faults: [(piece: String, replacement: String, faults: String)] = [
    (server, "\(server)\n    balance: random", "32:14: upstreams.api.balance must be round_robin, least_requests, not \"random\""),
    (server, "\(server)\n    health: { every: 5s }", "32:13: upstreams.api.health: \"path\" is missing; what health checks ask for"),
    (server, "\(server)\n    health: { path: healthz }", "32:21: upstreams.api.health.path must begin with a slash, not \"healthz\""),
    (server, "\(server)\n    health: { path: /a/../b }", "32:21: upstreams.api.health.path: The path has a dot segment."),
    (server, "\(server)\n    health: { path: /, every: 1ms }", "32:31: upstreams.api.health.every must be from 500ms to 1h, not 1ms"),
    (server, "\(server)\n    health: { path: /, expect: [2xx, ok] }",
     "32:38: upstreams.api.health.expect[1] must be a status code such as 204, or a class such as 2xx, not \"ok\""),
    (server, "\(server)\n    health: { path: /, expect: [100] }",
     "32:33: upstreams.api.health.expect[0] must be a status code such as 204, or a class such as 2xx, not \"100\""),
    (server, "\(server)\n    health: { path: /, expect: [] }", "32:32: upstreams.api.health: expect must have a status code"),
    (server, "\(server)\n    ejection: { after: 0 }", "32:24: upstreams.api.ejection.after must be from 1 to 1000, not 0"),
    (server, "\(server)\n    ejection: { share: 50 }", "32:24: upstreams.api.ejection.share must be a share such as 20%, not \"50\""),
    (server, "\(server)\n    ejection: { share: 101% }", "32:24: upstreams.api.ejection.share must be from 0% to 100%, not 101%"),
    (server, "\(server)\n    limits: { pending: 5 }", "32:24: upstreams.api.limits: pending is for servers with a limit of requests"),
    (server, "\(server)\n    retries: { on: [500] }",
     "32:21: upstreams.api.retries.on[0] must be connect_failure, reset, 502, 503, 504, not \"500\"; did you mean \"502\"?"),
    (server, "\(server)\n    retries: { attempts: 9 }", "32:26: upstreams.api.retries.attempts must be from 0 to 5, not 9"),
    ("keys:\n", "shutdown: { delay: -1s }\nkeys:\n",
     "5:20: shutdown.delay must be a duration such as 500ms, 15s, 10m, 2h or 14d, not \"-1s\""),
  ]

  @Test("A fault in it is told with its place", arguments: faults)
  func tells(piece: String, replacement: String, faults: String) {
    #expect(Fixture.faults(piece, replacement).replacing("postern.yaml:", with: "") == faults)
  }
}
