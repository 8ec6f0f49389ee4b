import Cryptography

/// Whether a client must use PKCE.
public enum ProofKeyRule: Sendable {
  /// Source: RFC 9700 §2.1.1, which requires it of public clients and recommends it for all.
  case everyClient
  case publicClients
}

/// Checks the parameters of an authorization request against its client.
struct AuthorizationRequestReader: Sendable {
  let proofKeyRule: ProofKeyRule

  static let stateByteCountMax = 4096
  static let nonceByteCountMax = 512
  static let scopeByteCountMax = 2048
  static let resourceByteCountMax = 512

  /// The redirect URI the answer goes to.
  ///
  /// - Throws: `invalid_request`, for an error page: an unchecked URI must never be redirected to.
  ///
  /// Source: RFC 6749 §3.1.2.3, §3.1.2.4.
  func redirectURI(in form: Form, for client: Client) throws(OAuthError) -> String {
    let requested = form.all("redirect_uri")
    guard requested.count <= 1 else { throw OAuthError(.invalidRequest, "redirect_uri is included more than once") }
    guard let requested = requested.first else {
      guard client.redirectURIs.count == 1 else { throw OAuthError(.invalidRequest, "redirect_uri is missing") }
      return client.redirectURIs[0]
    }
    guard client.redirectURIs.contains(where: { RedirectURI.matches(requested, registered: $0) }) else {
      throw OAuthError(.invalidRequest, "redirect_uri is not registered for this client")
    }
    return requested
  }

  /// `state`, when it can be returned at all: once, and not longer than allowed.
  func state(in form: Form) -> String? {
    let states = form.all("state")
    guard states.count == 1, states[0].utf8.count <= Self.stateByteCountMax else { return nil }
    return states[0]
  }

  /// The rest of the request.
  ///
  /// - Throws: the error to redirect with.
  func request(
    in form: Form, for client: Client, redirectURI: String, at now: Timestamp
  ) throws(OAuthError) -> AuthorizationRequest {
    if let name = form.repeated(except: { $0 == "resource" }) {
      throw OAuthError(.invalidRequest, "a parameter is included more than once: \(legible(name))")
    }
    if let state = form["state"], state.utf8.count > Self.stateByteCountMax {
      throw OAuthError(.invalidRequest, "state is too long")
    }
    try requireCodeResponse(form)
    guard client.grants.contains(.authorizationCode) else {
      throw OAuthError(.unauthorizedClient, "the client may not use the authorization code grant")
    }
    return AuthorizationRequest(
      client: client.id, redirectURI: redirectURI, isRedirectURIRequired: form["redirect_uri"] != nil,
      state: form["state"],
      challenge: try challenge(form, client), scope: try scope(form, client), resources: try resources(form, client),
      nonce: try nonce(form), prompts: try prompts(form), maxAge: try maxAge(form), receivedAt: now)
  }

  private func requireCodeResponse(_ form: Form) throws(OAuthError) {
    // Ignoring these would drop what the client signed. Source: OpenID Connect Core §3.1.2.6.
    if form["request"] != nil { throw OAuthError(.requestNotSupported, "request objects are not supported") }
    if form["request_uri"] != nil { throw OAuthError(.requestURINotSupported, "request_uri is not supported") }
    guard let responseType = form["response_type"] else {
      throw OAuthError(.invalidRequest, "a parameter is missing: response_type")
    }
    guard responseType == "code" else {
      throw OAuthError(.unsupportedResponseType, "only response_type=code is supported")
    }
    if let mode = form["response_mode"], mode != "query" {
      throw OAuthError(.invalidRequest, "only response_mode=query is supported")
    }
  }

  /// Source: RFC 7636 §4.3, §4.4.1. `plain` shows the verifier to whoever sees the request (RFC 9700 §2.1.1).
  private func challenge(_ form: Form, _ client: Client) throws(OAuthError) -> ProofKey.Challenge? {
    let method = form["code_challenge_method"]
    guard let text = form["code_challenge"] else {
      guard method == nil else { throw OAuthError(.invalidRequest, "a parameter is missing: code_challenge") }
      guard !client.isPublic, case .publicClients = proofKeyRule else {
        throw OAuthError(.invalidRequest, "PKCE is required: code_challenge is missing")
      }
      return nil
    }
    // Without a method, RFC 7636 §4.3 means plain.
    guard method == "S256" else { throw OAuthError(.invalidRequest, "only code_challenge_method=S256 is supported") }
    guard let challenge = ProofKey.Challenge(text) else {
      throw OAuthError(.invalidRequest, "code_challenge is malformed")
    }
    return challenge
  }

  /// Source: RFC 6749 §3.3: without one, the default, which is all that the client is registered for.
  private func scope(_ form: Form, _ client: Client) throws(OAuthError) -> ScopeSet {
    guard let text = form["scope"] else { return client.scopes }
    guard text.utf8.count <= Self.scopeByteCountMax, let scope = ScopeSet(parameter: text) else {
      throw OAuthError(.invalidScope, "the scope is malformed")
    }
    guard scope.isSubset(of: client.scopes) else {
      throw OAuthError(.invalidScope, "the client is not registered for this scope")
    }
    return scope
  }

  /// Source: RFC 8707 §2.1.
  private func resources(_ form: Form, _ client: Client) throws(OAuthError) -> [String] {
    let resources = try GrantForm(["resource": form.all("resource")]).resources()
    guard resources.allSatisfy({ $0.utf8.count <= Self.resourceByteCountMax && client.audiences.contains($0) }) else {
      throw OAuthError(.invalidTarget, "the client is not registered for this resource")
    }
    return resources
  }

  private func nonce(_ form: Form) throws(OAuthError) -> String? {
    guard let nonce = form["nonce"] else { return nil }
    guard nonce.utf8.count <= Self.nonceByteCountMax else { throw OAuthError(.invalidRequest, "nonce is too long") }
    return nonce
  }

  /// Source: OpenID Connect Core §3.1.2.1: `none` stands alone.
  private func prompts(_ form: Form) throws(OAuthError) -> Set<AuthorizationRequest.Prompt> {
    guard let text = form["prompt"] else { return [] }
    var prompts: Set<AuthorizationRequest.Prompt> = []
    for name in text.split(separator: " ") {
      guard let prompt = AuthorizationRequest.Prompt(rawValue: String(name)) else {
        throw OAuthError(.invalidRequest, "prompt is none, login, consent or select_account")
      }
      prompts.insert(prompt)
    }
    guard !prompts.contains(.none) || prompts.count == 1 else {
      throw OAuthError(.invalidRequest, "prompt=none stands alone")
    }
    return prompts
  }

  private func maxAge(_ form: Form) throws(OAuthError) -> Int64? {
    guard let text = form["max_age"] else { return nil }
    guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let seconds = Int64(text) else {
      throw OAuthError(.invalidRequest, "max_age is a number of seconds")
    }
    return seconds
  }
}
