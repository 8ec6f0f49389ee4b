import GatewayServer
import HTTPWire
import JSON

/// CloudVault's photos, for whoever presents a token of CloudVault: `/api/v1/photos` and `/api/v1/photos/{id}`.
public struct DemoPhotoAPI: Endpoint {
  let tokens: IssuedTokens

  private static let titles = ["Harbour at dawn", "Grandmother's garden", "First snow"]

  public func respond(to request: HTTPRequest) async -> HTTPResponse { answer(request) }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    let credentials = request.fields.all("Authorization")
    guard credentials.count == 1, let token = Self.bearerToken(credentials[0]), let owner = tokens.owner(of: token) else {
      return Self.challenge(hasToken: !credentials.isEmpty)
    }
    guard request.isGetOrHead else {
      return HTTPResponse(status: 405, fields: ["Allow": "GET, HEAD"])
    }
    let photos = Self.titles.enumerated().map { JSON.object(Self.photo(number: $0.offset + 1, title: $0.element)) }
    if request.path == CloudVault.photosPath { return Self.json(["photos": .array(photos), "owner": .string(owner), "bearer_seen": true]) }
    let id = request.path.dropFirst(CloudVault.photosPath.utf8.count + 1)
    guard let photo = photos.first(where: { $0.object?["id"]?.string == String(id) })?.object else {
      return HTTPResponse(status: 404, fields: ["Content-Type": "application/json"], body: JSONObject().bytes)
    }
    return Self.json(["photo": .object(photo), "bearer_seen": true])
  }

  private static func photo(number: Int, title: String) -> JSONObject {
    ["id": .string("\(number)"), "title": .string(title)]
  }

  private static func json(_ object: JSONObject) -> HTTPResponse {
    HTTPResponse(status: 200, fields: ["Content-Type": "application/json"], body: object.bytes)
  }

  /// Source: RFC 6750 §3: without a token the challenge names no error.
  private static func challenge(hasToken: Bool) -> HTTPResponse {
    let error = hasToken ? ", error=\"invalid_token\"" : ""
    return HTTPResponse(
      status: 401,
      fields: ["WWW-Authenticate": "Bearer realm=\"cloudvault\"\(error)", "Content-Type": "application/json"],
      body: (["error": "invalid_token"] as JSONObject).bytes)
  }

  /// Source: RFC 6750 §2.1; the scheme compares without case (RFC 9110 §11.1).
  private static func bearerToken(_ field: String) -> String? {
    field.lowercased().hasPrefix("bearer ") ? String(field.dropFirst(7)) : nil
  }
}

/// Answers while the process does.
struct DemoHealth: Endpoint {
  func respond(to request: HTTPRequest) async -> HTTPResponse {
    HTTPResponse(status: 200, fields: ["Content-Type": "text/plain"], body: Array("ok\n".utf8))
  }
}
