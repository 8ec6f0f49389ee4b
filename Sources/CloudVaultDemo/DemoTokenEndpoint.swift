import Cryptography
import GatewayServer
import HTTPWire
import JSON
import OAuthCore
import Synchronization

/// CloudVault's token endpoint: `client_secret_basic`, one client. Refresh tokens stay as they are, until they are revoked.
///
/// Source: RFC 6749 §4.1.3, §4.4, §6; RFC 7636 §4.6.
public struct DemoTokenEndpoint: Endpoint {
  let client: ClientID
  let secret: Secret
  let tokens: IssuedTokens
  let codes: DemoCodes
  private let ended = EndedTokens()

  static let scopes: ScopeSet = ["read_photos", "list_albums"]

  public func respond(to request: HTTPRequest) async -> HTTPResponse { answer(request) }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    guard request.method == "POST" else { return HTTPResponse(status: 405, fields: ["Allow": "POST"]) }
    let form: Form
    switch read(request) {
    case .success(let read): form = read
    case .failure(let refused): return refused.response
    }
    guard let grant = form["grant_type"] else { return refusal(400, .invalidRequest) }
    switch grant {
    case GrantType.clientCredentials.rawValue:
      let scope = form["scope"].map { ScopeSet(parameter: $0) } ?? Self.scopes
      guard let scope, scope.isSubset(of: Self.scopes) else { return refusal(400, .invalidScope) }
      return issued(scope: scope)
    case GrantType.authorizationCode.rawValue:
      guard let code = form["code"], let redirectURI = form["redirect_uri"], let verifier = form["code_verifier"] else {
        return refusal(400, .invalidRequest)
      }
      guard let allowed = codes.redeem(code, redirectURI: redirectURI, verifier: verifier) else {
        return refusal(400, .invalidGrant)
      }
      return issued(scope: allowed.scope, owner: allowed.owner, refresh: tokens.issue(.refresh, owner: allowed.owner))
    case GrantType.refreshToken.rawValue:
      guard let token = form["refresh_token"] else { return refusal(400, .invalidRequest) }
      guard let owner = tokens.owner(of: token, .refresh), !ended.contains(token) else { return refusal(400, .invalidGrant) }
      return issued(scope: Self.scopes, owner: owner)
    default: return refusal(400, .unsupportedGrantType)
    }
  }

  /// Source: RFC 7009 §2.
  func revoke(_ request: HTTPRequest) -> HTTPResponse {
    guard request.method == "POST" else { return HTTPResponse(status: 405, fields: ["Allow": "POST"]) }
    switch read(request) {
    case .failure(let refused): return refused.response
    case .success(let form):
      if let token = form["token"] { ended.insert(token) }
      return HTTPResponse(status: 200, fields: ["Cache-Control": "no-store"])
    }
  }

  private struct Refused: Error {
    let response: HTTPResponse
  }

  /// The form of the client.
  private func read(_ request: HTTPRequest) -> Result<Form, Refused> {
    guard let form = try? FormDecoder.decode(request.body), form.repeated(except: { _ in false }) == nil else {
      return .failure(Refused(response: refusal(400, .invalidRequest)))
    }
    guard isClient(request.fields["Authorization"]) else {
      var response = refusal(401, .invalidClient)
      response.fields["WWW-Authenticate"] = "Basic realm=\"cloudvault\""
      return .failure(Refused(response: response))
    }
    return .success(form)
  }

  /// - Parameter owner: empty: the client itself.
  private func issued(scope: ScopeSet, owner: String = "", refresh: Secret? = nil) -> HTTPResponse {
    var body: JSONObject = [
      "access_token": .string(tokens.issue(owner: owner).exposedText),
      "token_type": "Bearer",
      "expires_in": .integer(tokens.lifetime.components.seconds),
      "scope": .string(scope.description),
    ]
    if let refresh { body["refresh_token"] = .string(refresh.exposedText) }
    return json(200, body)
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

/// Refresh tokens that were given back, by digest.
private final class EndedTokens: Sendable {
  /// The oldest make room; a demo has few.
  private static let countMax = 1000
  private let digests = Mutex<[Digest256]>([])

  func insert(_ token: String) {
    digests.withLock { digests in
      if digests.count >= Self.countMax { digests.removeFirst() }
      digests.append(SHA256.digest(token))
    }
  }

  func contains(_ token: String) -> Bool {
    let digest = SHA256.digest(token)
    return digests.withLock { $0.contains(digest) }
  }
}

/// CloudVault's revocation endpoint. Source: RFC 7009.
struct DemoRevocation: Endpoint {
  let tokenEndpoint: DemoTokenEndpoint

  func respond(to request: HTTPRequest) async -> HTTPResponse { tokenEndpoint.revoke(request) }
}
