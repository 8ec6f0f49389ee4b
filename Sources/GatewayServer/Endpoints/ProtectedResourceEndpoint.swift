import HTTPWire
import ReverseProxy

/// `/.well-known/oauth-protected-resource` and below: what a client needs to know to get a token for a route.
///
/// Source: RFC 9728 §3.
public struct ProtectedResourceEndpoint: Endpoint {
  /// How long others may keep a document. Seconds.
  private static let secondsFresh = 300

  private let metadata: ResourceMetadata
  private let crossOrigin = CrossOriginAccess(methods: "GET, HEAD")

  public init(_ metadata: ResourceMetadata) { self.metadata = metadata }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    if let preflight = crossOrigin.preflight(request) { return preflight }
    guard request.isGetOrHead else { return .methodNotAllowed(allow: "GET, HEAD, OPTIONS") }
    let path = String(request.path.dropFirst(ProtectedResource.wellKnownPath.count))
    guard let document = metadata.document(at: path, host: request.fields["Host"]) else {
      return crossOrigin.open(GatewayError.routeNotFound.response(requestID: request.requestID ?? ""))
    }
    return crossOrigin.open(
      HTTPResponse(
        status: 200,
        fields: ["Content-Type": "application/json", "Cache-Control": "public, max-age=\(Self.secondsFresh)"],
        body: document.bytes))
  }
}
