import HTTPWire

/// Lets scripts of any origin read an endpoint's answers, for public clients that live in a browser.
///
/// Never with credentials: what these endpoints answer depends on what the request itself presents, and a cookie is not
/// part of that. Source: WHATWG Fetch §3.3.
struct CrossOriginAccess: Sendable {
  /// Such as `GET, HEAD`.
  let methods: String

  /// The answer to a preflight; nil: the request is none.
  func preflight(_ request: HTTPRequest) -> HTTPResponse? {
    guard request.method == "OPTIONS" else { return nil }
    return HTTPResponse(
      status: 204,
      fields: [
        "Allow": "\(methods), OPTIONS",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "7200",
      ])
  }

  func open(_ response: HTTPResponse) -> HTTPResponse {
    var response = response
    response.fields.append("Access-Control-Allow-Origin", "*")
    response.fields.append("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
    return response
  }
}
