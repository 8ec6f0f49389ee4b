import Broker
import HTTPWire
import JSON
import OAuthCore

/// Why the API does not do what it is asked: a problem document. Source: RFC 9457 §3; RFC 6750 §3.1.
enum APIRefusal: Error, Sendable, Equatable {
  /// - Parameter error: of the challenge; nil: no token came.
  case unauthenticated(String?)
  case insufficientScope
  case notFound
  case methodNotAllowed(String)
  case malformed(String)
  case conflict(String)
  /// The user has to connect again first.
  case needsReauthentication
  case providerRefuses(ProviderRefusal)
  case providerUnavailable(retryAfter: Int)
  case unavailable

  private var statusAndTitle: (Int, String) {
    switch self {
    case .unauthenticated(let error): (error == "invalid_request" ? 400 : 401, "An access token of Postern is needed")
    case .insufficientScope: (403, "The access token lacks the scope \(ManagementAPI.scope)")
    case .notFound: (404, "There is no such thing")
    case .methodNotAllowed: (405, "That method is not answered here")
    case .malformed: (400, "The request cannot be understood")
    case .conflict: (409, "That is not possible now")
    case .needsReauthentication: (409, "The user has to connect again")
    case .providerRefuses: (502, "The provider refuses Postern")
    case .providerUnavailable: (503, "The provider does not help now")
    case .unavailable: (503, "Postern cannot reach its database")
    }
  }

  private var detail: String? {
    switch self {
    case .malformed(let detail), .conflict(let detail): detail
    case .providerRefuses(let refusal): refusal.rawValue
    default: nil
    }
  }

  func response(requestID: String?) -> HTTPResponse {
    let (status, title) = statusAndTitle
    var body: JSONObject = ["title": .string(title), "status": .integer(Int64(status))]
    if let detail { body["detail"] = .string(detail) }
    if let requestID { body["request_id"] = .string(requestID) }
    var response = HTTPResponse.json(status, body)
    response.fields["Content-Type"] = "application/problem+json"
    switch self {
    case .unauthenticated(let error):
      let detail = error.map { ", error=\"\($0)\"" } ?? ""
      response.fields.append("WWW-Authenticate", "Bearer realm=\"postern\"\(detail)")
    case .insufficientScope:
      response.fields.append(
        "WWW-Authenticate", "Bearer realm=\"postern\", error=\"insufficient_scope\", scope=\"\(ManagementAPI.scope)\"")
    case .methodNotAllowed(let allow): response.fields.append("Allow", allow)
    case .providerUnavailable(let seconds): response.fields.append("Retry-After", "\(seconds)")
    case .unavailable: response.fields.append("Retry-After", "1")
    default: break
    }
    return response
  }
}

extension HTTPResponse {
  static func json(_ status: Int, _ object: JSONObject) -> HTTPResponse {
    HTTPResponse(
      status: status, fields: ["Content-Type": "application/json", "Cache-Control": "no-store"], body: object.bytes)
  }
}

extension HTTPRequest {
  /// The body as an object that has none but these members.
  func jsonObject(members: Set<String>) throws(APIRefusal) -> JSONObject {
    let types = fields.all("Content-Type")
    let essence = types.first?.prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased()
    guard types.count == 1, essence == "application/json", let object = try? JSON(parsing: body).object else {
      throw .malformed("the body is a JSON object, sent as application/json")
    }
    for (name, _) in object.members where !members.contains(name) { throw .malformed("there is no member \(name)") }
    return object
  }
}
