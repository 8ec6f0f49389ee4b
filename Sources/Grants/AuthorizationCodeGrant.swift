import Cryptography
import OAuthCore

/// A resource owner's approval, exchanged for tokens. Source: RFC 6749 §4.1.3; RFC 7636 §4.5.
///
/// Everything that can be wrong is found before the code is consumed: a bad request neither burns a code nor loosens what
/// it is bound to. That a code is redeemed once is the issuing statement's to guarantee.
public struct AuthorizationCodeGrant: GrantHandler {
  public struct Request: Sendable {
    let code: String
    let redirectURI: String?
    let verifier: Secret?
    let resources: [String]
  }

  /// How long after its expiry a code's use is remembered, for instances whose clocks differ.
  static let clockSkewMax = Duration.seconds(60)

  public let descriptor = GrantDescriptor(
    grantType: .authorizationCode,
    parameters: [
      GrantParameter("code", .required, byteCountMax: AuthorizationCodeSealer.textByteCountMax, isSensitive: true),
      GrantParameter("redirect_uri", .optional),
      GrantParameter("code_verifier", .optional, byteCountMax: 128, isSensitive: true),
      .resource,
    ],
    mayRefresh: true)

  private let codes: AuthorizationCodeSealer

  public init(codes: AuthorizationCodeSealer) { self.codes = codes }

  public func parse(_ form: GrantForm) throws(OAuthError) -> Request {
    guard let code = form["code"] else { throw OAuthError(.invalidRequest, "a parameter is missing: code") }
    if let verifier = form["code_verifier"], !ProofKey.isVerifier(verifier) {
      throw OAuthError(.invalidGrant, "the code_verifier is malformed")
    }
    return Request(
      code: code, redirectURI: form["redirect_uri"], verifier: form["code_verifier"].map { Secret($0) },
      resources: try form.resources())
  }

  public func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
    guard let code = codes.open(request.code), code.client == context.client.id, context.now < code.expiresAt else {
      throw .grantRefused
    }
    try requireRedirectURI(request, code)
    try requireProof(request, code, context.client)

    let isNarrowed = !request.resources.isEmpty
    // RFC 8707 §2.2: a token may be for some of the resources that were granted, not for others.
    guard !isNarrowed || request.resources.allSatisfy(code.resources.contains) else {
      throw OAuthError(.invalidTarget, "the resource exceeds what was granted")
    }
    return IssuancePlan(
      .decided(
        Authorization(
          subject: code.subject, client: code.client, scope: code.scope,
          audience: isNarrowed ? request.resources : code.resources, authenticatedAt: code.authenticatedAt)),
      wantsRefreshToken: true, family: code.family,
      consumes: [OneTimeArtefact(kind: "code", id: code.id.bytes, expiresAt: code.expiresAt + Self.clockSkewMax)],
      restsOnConsent: true)
  }

  /// Source: RFC 6749 §4.1.3: identical, and required if the authorization request had it.
  private func requireRedirectURI(_ request: Request, _ code: AuthorizationCode) throws(OAuthError) {
    switch request.redirectURI {
    case let presented?: guard isSame(presented, code.redirectURI) else { throw .grantRefused }
    case nil: guard !code.isRedirectURIRequired else { throw .grantRefused }
    }
  }

  /// Source: RFC 7636 §4.6; RFC 9700 §2.1.1: a verifier for a code without a challenge is a downgrade attempt.
  private func requireProof(_ request: Request, _ code: AuthorizationCode, _ client: Client) throws(OAuthError) {
    switch (code.challenge, request.verifier) {
    case (let challenge?, let verifier?): guard ProofKey.verify(verifier, challenge) else { throw .grantRefused }
    case (nil, nil): guard !client.isPublic else { throw .grantRefused }
    case (nil, _?), (_?, nil): throw .grantRefused
    }
  }
}

/// Byte for byte: Swift's `==` takes canonically equivalent texts for equal. Source: RFC 3986 §6.2.1.
func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
