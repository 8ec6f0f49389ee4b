import HTTPWire
import OAuthCore

extension HTTPResponse {
  /// What an endpoint of `OAuthCore` decided, as it goes to the wire.
  init(_ response: EndpointResponse) {
    self.init(status: response.status, body: response.body)
    for (name, value) in response.fields { fields.append(name, value) }
  }

  /// Sends the browser on with a GET, whatever the method was. Source: RFC 9110 §15.4.4; RFC 9700 §4.12: never 307.
  ///
  /// - Parameter location: a registered redirect URI with its answer, or a path of Postern's own.
  static func seeOther(_ location: String) -> HTTPResponse {
    HTTPResponse(
      status: 303,
      fields: ["Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"])
  }

  /// Source: RFC 9110 §15.5.6: the answer names what is allowed.
  static func methodNotAllowed(allow: String) -> HTTPResponse {
    HTTPResponse(status: 405, fields: ["Allow": allow, "Cache-Control": "no-store"])
  }

  /// - Parameter setCookie: nil: the browser keeps what it has.
  func withCookie(_ setCookie: String?) -> HTTPResponse {
    guard let setCookie else { return self }
    var response = self
    response.fields.append("Set-Cookie", setCookie)
    return response
  }
}
