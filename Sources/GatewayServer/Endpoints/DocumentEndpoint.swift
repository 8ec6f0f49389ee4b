import HTTPWire
import OAuthCore

/// A public document that anybody may read and keep: server metadata, the server's public keys.
///
/// Source: RFC 8414 §3; RFC 7517 §5.
public struct DocumentEndpoint: Endpoint {
  private let document: @Sendable () async -> EndpointResponse
  private let crossOrigin = CrossOriginAccess(methods: "GET, HEAD")

  public init(_ document: @escaping @Sendable () async -> EndpointResponse) { self.document = document }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    if let preflight = crossOrigin.preflight(request) { return preflight }
    guard request.isGetOrHead else { return .methodNotAllowed(allow: "GET, HEAD, OPTIONS") }
    return crossOrigin.open(HTTPResponse(await document()))
  }
}
