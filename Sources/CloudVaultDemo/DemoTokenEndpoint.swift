import Cryptography
import GatewayServer
import HTTPWire
import JSON
import OAuthCore

/// CloudVault's token endpoint: client credentials, `client_secret_basic`, one client. Source: RFC 6749 §4.4.
public struct DemoTokenEndpoint: Endpoint {
  let client: ClientID
  let secret: Secret
  let tokens: IssuedTokens

  static let scopes: ScopeSet = ["read_photos", "list_albums"]

  public func respond(to request: HTTPRequest) async -> HTTPResponse { answer(request) }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    guard request.method == "POST" else { return HTTPResponse(status: 405, fields: ["Allow": "POST"]) }
    guard let form = try? FormDecoder.decode(request.body), form.repeated(except: { _ in false }) == nil else {
      return refusal(400, .invalidRequest)
    }
    guard isClient(request.fields["Authorization"]) else {
      var response = refusal(401, .invalidClient)
      response.fields["WWW-Authenticate"] = "Basic realm=\"cloudvault\""
      return response
    }
    guard let grant = form["grant_type"] else { return refusal(400, .invalidRequest) }
    guard grant == GrantType.clientCredentials.rawValue else { return refusal(400, .unsupportedGrantType) }
    let scope = form["scope"].map { ScopeSet(parameter: $0) } ?? Self.scopes
    guard let scope, scope.isSubset(of: Self.scopes) else { return refusal(400, .invalidScope) }
    return json(200, [
      "access_token": .string(tokens.issue().exposedText),
      "token_type": "Bearer",
      "expires_in": .integer(tokens.lifetime.components.seconds),
      "scope": .string(scope.description),
    ])
  }

  /// Identifier and secret are form-encoded inside. Source: RFC 6749 §2.3.1.
  private func isClient(_ field: String?) -> Bool {
    guard let field, field.lowercased().hasPrefix("basic "), let pair = Base64.decode(String(field.dropFirst(6))),
      let colon = pair.firstIndex(of: UInt8(ascii: ":")),
      let id = try? FormDecoder.text(pair[..<colon]), let presented = try? FormDecoder.text(pair[(colon + 1)...])
    else { return false }
    return Secret(presented) == secret && id == client.rawValue
  }

  private func refusal(_ status: Int, _ code: OAuthError.Code) -> HTTPResponse {
    json(status, ["error": .string(code.rawValue)])
  }

  /// Source: RFC 6749 §5.1: token responses are not stored.
  private func json(_ status: Int, _ object: JSONObject) -> HTTPResponse {
    HTTPResponse(
      status: status, fields: ["Content-Type": "application/json", "Cache-Control": "no-store"], body: object.bytes)
  }
}
