/// The authorization endpoint as functions of values: what the browser sees next. It writes nothing.
///
/// Source: RFC 6749 §3.1, §4.1.1, §4.1.2.
public struct AuthorizationEndpoint: Sendable {
  /// Longest query or form that is looked at. Bytes.
  public static let requestByteCountMax = 16 * 1024

  private let clients: any ClientDirectory
  private let consents: any ConsentStore
  private let codes: AuthorizationCodeSealer
  private let requests: AuthorizationRequestSealer
  private let handles: HandleMint
  private let issuer: String
  private let codeLifetime: Duration
  private let reader: AuthorizationRequestReader
  private let audit: any AuditLog
  private let clock: any WallClock

  /// - Parameter codeLifetime: at most `AuthorizationCodeSealer.lifetimeMax`; more is cut.
  public init(
    clients: any ClientDirectory, consents: any ConsentStore, codes: AuthorizationCodeSealer,
    requests: AuthorizationRequestSealer, handles: HandleMint, issuer: String,
    codeLifetime: Duration = AuthorizationCodeSealer.lifetimeMax, proofKeyRule: ProofKeyRule = .everyClient,
    audit: any AuditLog, clock: any WallClock
  ) {
    self.clients = clients
    self.consents = consents
    self.codes = codes
    self.requests = requests
    self.handles = handles
    self.issuer = issuer
    self.codeLifetime = min(codeLifetime, AuthorizationCodeSealer.lifetimeMax)
    reader = AuthorizationRequestReader(proofKeyRule: proofKeyRule)
    self.audit = audit
    self.clock = clock
  }

  // MARK: Steps

  /// Answers a request as it arrives.
  ///
  /// - Parameters:
  ///   - parameters: the query of a GET (without `?`), or the body of a form POST.
  ///   - session: the browser's session, if it has one.
  public func respond(to parameters: [UInt8], session: BrowserSession?) async -> AuthorizationStep {
    let now = clock.now
    let form: Form
    let client: Client
    let redirectURI: String
    do throws(OAuthError) {
      form = try decode(parameters)
      client = try await self.client(named: form)
      redirectURI = try reader.redirectURI(in: form, for: client)
    } catch {
      return .errorPage(AuthorizationErrorPage(error))
    }

    // From here on the client can be told.
    let responder = AuthorizationResponder(issuer: issuer, redirectURI: redirectURI, state: reader.state(in: form))
    let request: AuthorizationRequest
    do throws(OAuthError) {
      request = try reader.request(in: form, for: client, redirectURI: redirectURI, at: now)
    } catch {
      return responder.redirect(error)
    }
    return await decide(request, session: session)
  }

  /// Goes on with a request that waited for a sign-in.
  ///
  /// - Parameter sealed: as `seal` returned it for this very session.
  public func resume(_ sealed: String, session: BrowserSession) async -> AuthorizationStep {
    guard let request = open(sealed, session: session) else {
      return .errorPage(AuthorizationErrorPage(.staleRequest))
    }
    if let page = await refusal(of: request) { return page }
    return await decide(request, session: session)
  }

  /// Takes the resource owner's yes. It counts only for a request that is at the consent page now, judged afresh: any
  /// other goes on as if nobody had answered, and nothing is remembered of it.
  ///
  /// - Parameter remember: stores the consent. Durable before the code exists: a code never outruns the consent it stands
  ///   for.
  /// - Throws: what `remember` throws; there is no code then.
  public func approve(
    _ request: AuthorizationRequest, session: BrowserSession, remember: () async throws(StoreFailure) -> Void
  ) async throws(StoreFailure) -> AuthorizationStep {
    if let page = await refusal(of: request) { return page }
    let step = await decide(request, session: session)
    guard case .needsConsent = step, let owner = ResourceOwner(session) else { return step }
    try await remember()
    return grant(request, to: owner)
  }

  /// Tells the client that the resource owner said no.
  public func deny(_ request: AuthorizationRequest) -> AuthorizationStep {
    audit.record(
      AuditEvent(.consentDenied, at: clock.now, client: request.client, scope: request.scope, error: .accessDenied))
    return responder(request).redirect(OAuthError(.accessDenied, "the resource owner denied the request"))
  }

  // MARK: Across pages

  /// An opaque parameter that only this session can bring back.
  public func seal(_ request: AuthorizationRequest, session: BrowserSession) -> String {
    requests.seal(request, session: session.locator)
  }

  /// The request that was sealed for this session; nil when it is too old, altered or another session's. After a
  /// sign-in changed the session, open under the old one and seal under the new one.
  public func open(_ sealed: String, session: BrowserSession) -> AuthorizationRequest? {
    requests.open(sealed, session: session.locator, at: clock.now)
  }

  // MARK: Decisions

  private func decide(_ request: AuthorizationRequest, session: BrowserSession?) async -> AuthorizationStep {
    let isSilent = request.prompts.contains(.none)
    guard let owner = session.flatMap(ResourceOwner.init), !request.needsNewSignIn(since: owner.authenticatedAt) else {
      return isSilent ? refuse(request, .loginRequired, "the resource owner must sign in") : .needsSignIn(request)
    }

    let consent: Consent?
    do { consent = try await consents.consent(of: owner.subject, for: request.client) } catch {
      // RFC 6749 §4.1.2.1: the client may be told. A person is better off with a page: reloading it goes on from here.
      return isSilent
        ? responder(request).redirect(OAuthError(error)) : .errorPage(AuthorizationErrorPage(OAuthError(error)))
    }
    let missing = ScopeSet(request.scope.scopes.filter { consent?.scope.contains($0) != true })
    if consent == nil || !missing.isEmpty || request.prompts.contains(.consent) {
      guard !isSilent else { return refuse(request, .consentRequired, "the resource owner must consent") }
      return .needsConsent(request, missing: request.prompts.contains(.consent) ? request.scope : missing)
    }
    return grant(request, to: owner)
  }

  private func grant(_ request: AuthorizationRequest, to owner: ResourceOwner) -> AuthorizationStep {
    let now = clock.now
    let code = AuthorizationCode(
      id: handles.locator(at: now), family: handles.locator(at: now), client: request.client,
      redirectURI: request.redirectURI, isRedirectURIRequired: request.isRedirectURIRequired,
      challenge: request.challenge,
      scope: request.scope, resources: request.resources, subject: owner.subject,
      authenticatedAt: owner.authenticatedAt,
      nonce: request.nonce, expiresAt: now + codeLifetime)
    audit.record(
      AuditEvent(
        .codeIssued, at: now, client: request.client, subject: owner.subject, scope: request.scope,
        artefact: code.family))
    return responder(request).redirect(code: codes.seal(code))
  }

  // MARK: Parts

  private func decode(_ parameters: [UInt8]) throws(OAuthError) -> Form {
    guard parameters.count <= Self.requestByteCountMax else {
      throw OAuthError(.invalidRequest, "the request is too long")
    }
    do { return try FormDecoder.decode(parameters) } catch { throw OAuthError(error) }
  }

  private func client(named form: Form) async throws(OAuthError) -> Client {
    let named = form.all("client_id")
    guard named.count == 1, ClientCredentials.isClientIdentifier(named[0]) else {
      throw OAuthError(.invalidRequest, "client_id is missing, malformed or repeated")
    }
    return try await enabledClient(ClientID(named[0]))
  }

  private func enabledClient(_ id: ClientID) async throws(OAuthError) -> Client {
    let client = try await asking { () throws(StoreFailure) in try await clients.client(id) }
    guard let client, !client.isDisabled else { throw OAuthError(.invalidRequest, "the client is unknown") }
    return client
  }

  /// Why a request that was good must not go on: while the person took their time, the client may have changed.
  private func refusal(of request: AuthorizationRequest) async -> AuthorizationStep? {
    do throws(OAuthError) {
      let client = try await enabledClient(request.client)
      guard
        client.redirectURIs.contains(where: { RedirectURI.matches(request.redirectURI, registered: $0) }),
        client.grants.contains(.authorizationCode), request.scope.isSubset(of: client.scopes)
      else { throw OAuthError.staleRequest }
      return nil
    } catch {
      return .errorPage(AuthorizationErrorPage(error))
    }
  }

  private func responder(_ request: AuthorizationRequest) -> AuthorizationResponder {
    AuthorizationResponder(issuer: issuer, redirectURI: request.redirectURI, state: request.state)
  }

  private func refuse(_ request: AuthorizationRequest, _ code: OAuthError.Code, _ description: String)
    -> AuthorizationStep
  {
    responder(request).redirect(OAuthError(code, description))
  }
}

/// Who signed in, and when.
private struct ResourceOwner {
  let subject: Subject
  let authenticatedAt: Timestamp

  init?(_ session: BrowserSession) {
    guard let subject = session.subject, let authenticatedAt = session.authenticatedAt else { return nil }
    self.subject = subject
    self.authenticatedAt = authenticatedAt
  }
}

extension OAuthError {
  fileprivate static let staleRequest = OAuthError(
    .invalidRequest, "the request is too old; go back to the application and start again")
}
