import HTTPWire
import JSON
import OAuthCore

/// An endpoint that clients POST forms to: token, introspection, revocation. Reads HTTP strictly, leaves the rest to the core.
///
/// Source: RFC 6749 §3.2: the client must use POST; RFC 7662 §2.1; RFC 7009 §2.1.
public struct ClientEndpoint: Endpoint {
  private let answer: @Sendable (ClientRequest) async -> EndpointResponse
  private let crossOrigin: CrossOriginAccess?

  /// - Parameters:
  ///   - isOpenToScripts: whether scripts of any origin may call it. Source: RFC 7009 §2.3.
  ///   - answer: such as `TokenEndpoint.respond(to:)`.
  public init(isOpenToScripts: Bool, answer: @escaping @Sendable (ClientRequest) async -> EndpointResponse) {
    self.answer = answer
    crossOrigin = isOpenToScripts ? CrossOriginAccess(methods: "POST") : nil
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    if let preflight = crossOrigin?.preflight(request) { return preflight }
    let response = await posted(request)
    // Only browsers name an origin, and these answers are never cached: no other caller needs the fields.
    guard let crossOrigin, request.fields["Origin"] != nil else { return response }
    return crossOrigin.open(response)
  }

  private func posted(_ request: HTTPRequest) async -> HTTPResponse {
    guard request.method == "POST" else {
      return .oauthError(.invalidRequest, "this endpoint answers POST only", status: 405, fields: ["Allow": "POST"])
    }
    // Two of them are two readings; nobody sends that by mistake.
    for name in ["Content-Type", "Authorization"] where request.fields.all(name).count > 1 {
      return .oauthError(.invalidRequest, "the header field \(name) occurs more than once", status: 400)
    }
    let posted = ClientRequest(
      contentType: request.fields["Content-Type"], authorizationField: request.fields["Authorization"],
      query: request.query, body: request.body, remoteAddress: request.remoteAddress,
      certificate: request.certificate)
    return HTTPResponse(await answer(posted))
  }
}

extension HTTPResponse {
  /// An error in the shape of RFC 6749 §5.2, for what is refused before the core sees it.
  fileprivate static func oauthError(
    _ code: OAuthError.Code, _ description: String, status: Int, fields: HTTPFields = [:]
  ) -> HTTPResponse {
    let body: JSONObject = ["error": .string(code.rawValue), "error_description": .string(description)]
    var response = HTTPResponse(status: status, fields: fields, body: body.bytes)
    response.fields.append("Content-Type", "application/json")
    response.fields.append("Cache-Control", "no-store")
    response.fields.append("Pragma", "no-cache")
    return response
  }
}
