import ReverseProxy
import Testing

@testable import GatewayServer

@Suite("Explanation of upstreams")
struct UpstreamExplanationTests {
  @Test("an explanation names the servers, and the choice among several")
  func servers() throws {
    var upstream = Upstream(name: "up", servers: [try Origin("https://a.example")])
    #expect(upstream.explanation == "up: https://a.example")
    upstream.servers.append(try Origin("https://b.example"))
    #expect(upstream.explanation == "up: least_requests of https://a.example, https://b.example")
    upstream.balance = .roundRobin
    upstream.health = HealthCheck(path: "/healthz")
    upstream.limits.requests = 9
    #expect(upstream.explanation == "up: round_robin of https://a.example, https://b.example; "
      + "while /healthz says that it is well; at most 9 requests at each")
  }
}
