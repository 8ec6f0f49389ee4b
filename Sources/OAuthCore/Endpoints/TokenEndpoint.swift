import JSON

/// The token endpoint as a function of values. Source: RFC 6749 §3.2, §5.
public struct TokenEndpoint: Sendable {
  private let registry: GrantRegistry
  private let authenticator: ClientAuthenticator
  private let issuance: TokenIssuance
  private let policy: TokenPolicy
  private let audit: any AuditLog
  private let clock: any WallClock

  public init(
    registry: GrantRegistry, authenticator: ClientAuthenticator, store: any TokenStore, accessTokens: AccessTokenIssuer,
    handles: HandleMint, policy: TokenPolicy, audit: any AuditLog, clock: any WallClock
  ) {
    self.registry = registry
    self.authenticator = authenticator
    self.policy = policy
    self.audit = audit
    self.clock = clock
    issuance = TokenIssuance(
      store: store, accessTokens: accessTokens, handles: handles, policy: policy, registry: registry)
  }

  /// Answers one request. Whatever comes in, something of RFC 6749 §5.1 or §5.2 goes out.
  public func respond(to request: ClientRequest) async -> EndpointResponse {
    let now = clock.now
    var event = AuditEvent(.tokenRefused, at: now, remoteAddress: request.remoteAddress)
    do throws(OAuthError) {
      let form = try request.form()
      let grant = try registry.grant(grantType(in: form))
      event.grantType = grant.descriptor.grantType
      let parameters = try grant.descriptor.select(from: form)

      let client = try await authenticator.authenticate(request, form, at: now)
      event.client = client.id
      try requireAllowed(grant.descriptor, client)
      let constraint = try constraint(of: client, request)

      let planner = try grant.parse(parameters)
      let context = GrantContext(client: client, now: now, issuer: policy.issuer)
      let plan = try await planner(context)
      let issued = try await issuance.execute(plan, grant.descriptor, client, for: constraint, at: now)

      event.kind = plan.isRelease ? .tokenReleased : .tokenIssued
      event.subject = issued.authorization.subject
      event.scope = issued.authorization.scope
      event.artefact = issued.family ?? issued.locator
      audit.record(event)
      return .json(issued.response(adding: plan.responseMembers))
    } catch {
      event.error = error.code
      if error.isReplay { event.kind = .replayDetected } else if error.status == 429 { event.kind = .attemptLimited }
      audit.record(event)
      return EndpointResponse(error)
    }
  }

  /// - Throws: `invalid_request` when it is missing or anything is repeated that may not be; `unsupported_grant_type`.
  private func grantType(in form: Form) throws(OAuthError) -> GrantType {
    let named = form["grant_type"].map { GrantType($0) }
    if let name = form.repeated(except: { registry.mayRepeat($0, in: named) }) {
      throw OAuthError(.invalidRequest, "a parameter is included more than once: \(legible(name))")
    }
    guard let named else { throw OAuthError(.invalidRequest, "a parameter is missing: grant_type") }
    return named
  }

  /// Whom the client's tokens are for. A refreshed one is for whom the first of its family was.
  ///
  /// - Throws: `invalid_request`.
  ///
  /// Source: RFC 8705 §3.
  private func constraint(of client: Client, _ request: ClientRequest) throws(OAuthError) -> SenderConstraint {
    guard client.bindsTokens else { return .bearer }
    guard let certificate = request.certificate else {
      throw OAuthError(.invalidRequest, "the client's tokens are bound to its certificate, and the connection has none")
    }
    return SenderConstraint(certificate: certificate)
  }

  /// - Throws: `unauthorized_client`.
  private func requireAllowed(_ descriptor: GrantDescriptor, _ client: Client) throws(OAuthError) {
    guard client.grants.contains(descriptor.grantType) else {
      throw OAuthError(.unauthorizedClient, "the client may not use this grant type")
    }
    if case .confidentialOnly = descriptor.clientAuthentication, client.isPublic {
      throw OAuthError(.unauthorizedClient, "a public client may not use this grant type")
    }
  }
}
