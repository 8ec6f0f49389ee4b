import HTTPWire
import JSON

/// `/healthz`: the process is alive and its loops turn. Looks at nothing else, so that an outage elsewhere restarts nobody.
public struct HealthEndpoint: Endpoint {
  public init() {}

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard request.isGetOrHead else { return .methodNotAllowed(allow: "GET, HEAD") }
    return HTTPResponse(
      status: 200, fields: ["Content-Type": "application/json", "Cache-Control": "no-store"],
      body: Array(#"{"status":"ok"}"#.utf8))
  }
}

/// One thing that must hold before requests are sent here.
public struct ReadinessCheck: Sendable {
  /// Such as `database`, `migrations`, `keys`.
  public var name: String
  public var holds: @Sendable () async -> Bool

  public init(_ name: String, holds: @escaping @Sendable () async -> Bool) {
    self.name = name
    self.holds = holds
  }
}

/// `/readyz`: 200 when every check holds, else 503; the body names each.
public struct ReadinessEndpoint: Endpoint {
  private let checks: [ReadinessCheck]

  public init(_ checks: [ReadinessCheck]) { self.checks = checks }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard request.isGetOrHead else { return .methodNotAllowed(allow: "GET, HEAD") }
    var isReady = true
    var results = JSONObject()
    for check in checks {
      let holds = await check.holds()
      isReady = isReady && holds
      results[check.name] = holds ? "ok" : "failing"
    }
    let body: JSONObject = ["status": isReady ? "ready" : "unready", "checks": .object(results)]
    var response = HTTPResponse(
      status: isReady ? 200 : 503, fields: ["Content-Type": "application/json", "Cache-Control": "no-store"], body: body.bytes)
    if !isReady { response.fields.append("Retry-After", "1") }
    return response
  }
}

/// `/metrics`: the counters in Prometheus' text format 0.0.4.
public struct MetricsEndpoint: Endpoint {
  private let snapshot: @Sendable () async -> [UInt8]

  /// - Parameter snapshot: the whole exposition, lines ended by `\n`. Must not block.
  public init(snapshot: @escaping @Sendable () async -> [UInt8]) { self.snapshot = snapshot }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    guard request.isGetOrHead else { return .methodNotAllowed(allow: "GET, HEAD") }
    return HTTPResponse(
      status: 200, fields: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"],
      body: await snapshot())
  }
}
