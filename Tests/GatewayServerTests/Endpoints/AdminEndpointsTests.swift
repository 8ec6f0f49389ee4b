import HTTPWire
import JSON
import Testing

@testable import GatewayServer

struct AdminEndpointsTests {
  private let request = HTTPRequest(method: "GET", path: "/")

  @Test("readiness fails when one check fails, and names each")
  func unready() async throws {
    let endpoint = ReadinessEndpoint([
      ReadinessCheck("database") { false }, ReadinessCheck("migrations") { true }, ReadinessCheck("keys") { true },
    ])
    let response = await endpoint.respond(to: request)
    #expect(response.status == 503)
    #expect(response.fields["Retry-After"] == "1")
    let checks = try JSON(parsing: response.body).object?["checks"]?.object
    #expect(checks == ["database": "failing", "migrations": "ok", "keys": "ok"])
  }

  @Test("readiness holds when every check holds")
  func ready() async throws {
    let response = await ReadinessEndpoint([ReadinessCheck("database") { true }]).respond(to: request)
    #expect(response.status == 200)
    #expect(try JSON(parsing: response.body).object?["status"] == "ready")
  }

  @Test("health asks nothing of the rest of the world")
  func health() async {
    #expect(await HealthEndpoint().respond(to: request).status == 200)
    #expect(await HealthEndpoint().respond(to: HTTPRequest(method: "POST", path: "/healthz")).status == 405)
  }

  @Test("metrics are Prometheus text")
  func metrics() async {
    let response = await MetricsEndpoint { Array("up 1\n".utf8) }.respond(to: request)
    #expect(response.fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
    #expect(response.body == Array("up 1\n".utf8))
  }
}
