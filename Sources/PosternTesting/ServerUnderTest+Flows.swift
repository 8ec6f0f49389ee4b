import JSON
import OAuthCore

extension ServerUnderTest {
  /// A code for `client`, through the authorization endpoint and a consent.
  public func code(
    for client: Client = Fixture.web, scope: String = "read", resource: String? = nil
  ) async throws -> String {
    var parameters = [
      ("response_type", "code"), ("client_id", client.id.rawValue), ("redirect_uri", client.redirectURIs[0]),
      ("scope", scope), ("code_challenge", Fixture.challenge), ("code_challenge_method", "S256"),
    ]
    if let resource { parameters.append(("resource", resource)) }
    try await consents.allow(client.scopes, to: client.id, by: Fixture.alice, at: clock.now)
    let step = await authorization.respond(
      to: Array(PercentEncoding.form(parameters.map { (name: $0.0, value: $0.1) }).utf8),
      session: session(of: Fixture.alice))
    guard case .redirect(let url) = step, let code = Redirect(url)["code"] else { throw UnexpectedStep(step: step) }
    return code
  }

  /// Exchanges a code at the token endpoint.
  public func redeem(
    _ code: String, verifier: String? = Fixture.verifier, as client: Client = Fixture.web,
    secret: String? = Fixture.secret,
    redirectURI: String? = nil
  ) async -> EndpointResponse {
    var body = "grant_type=authorization_code&code=\(code)"
    body += "&redirect_uri=" + PercentEncoding.encode(redirectURI ?? client.redirectURIs[0])
    if let verifier { body += "&code_verifier=\(verifier)" }
    return await token.respond(to: raw(body, as: client, secret: client.isPublic ? nil : secret))
  }

  /// Refreshes; `extra` is appended to the form as it stands.
  public func refresh(
    _ refreshToken: String, extra: String = "", as client: Client = Fixture.web, secret: String? = Fixture.secret
  ) async -> EndpointResponse {
    let body = "grant_type=refresh_token&refresh_token=\(refreshToken)" + extra
    return await token.respond(to: raw(body, as: client, secret: client.isPublic ? nil : secret))
  }

  /// What introspection says of a token.
  public func introspect(_ token: String, as client: Client = Fixture.web, secret: String = Fixture.secret) async
    -> JSONObject
  {
    await introspection.respond(to: raw("token=\(token)", as: client, secret: secret)).json
  }

  public func isActive(_ token: String) async -> Bool { await introspect(token)["active"] == true }

  /// A POST with exactly these bytes.
  public func raw(_ body: String, as client: Client? = nil, secret: String? = nil) -> ClientRequest {
    var request = form([:], as: client?.id, secret: secret)
    request.body = Array(
      (request.body.isEmpty ? body : body + "&" + String(decoding: request.body, as: UTF8.self)).utf8)
    return request
  }
}

/// The authorization endpoint did not answer with a code.
public struct UnexpectedStep: Error { public let step: AuthorizationStep }

/// The parameters that a redirect carries.
public struct Redirect {
  public let base: String
  public let form: Form

  public init(_ url: String) {
    let parts = url.split(separator: "?", maxSplits: 1).map(String.init)
    base = parts[0]
    form = (try? FormDecoder.decode(Array((parts.count > 1 ? parts[1] : "").utf8))) ?? Form()
  }

  public subscript(name: String) -> String? { form[name] }
}

extension EndpointResponse {
  public var accessToken: String? { json["access_token"]?.string }
  public var refreshToken: String? { json["refresh_token"]?.string }
}
