import Cryptography
import OAuthCore

/// A grant of one's own: a device that is already signed in shows a short code, and a companion app exchanges it.
///
/// This is everything a grant has to say. It decides; the core authenticates the client, limits scope and audience, makes
/// sure that a code is used once, records, answers and audits, exactly as it does for the built-in grants.
public struct CompanionCodeGrant: GrantHandler {
  public struct Request: Sendable {
    let code: String
    let scope: ScopeSet?
  }

  /// Where the device's codes are kept, and for how long they hold.
  public protocol Pairings: Sendable {
    /// Whose code it is; nil when there is none. Reads only: using the code up is the core's part.
    func pairing(code: String) async throws(StoreFailure) -> Pairing?
  }

  public struct Pairing: Sendable {
    public var subject: Subject
    public var client: ClientID
    public var scope: ScopeSet
    public var expiresAt: Timestamp

    public init(subject: Subject, client: ClientID, scope: ScopeSet, expiresAt: Timestamp) {
      self.subject = subject
      self.client = client
      self.scope = scope
      self.expiresAt = expiresAt
    }
  }

  /// What the core enforces and what the metadata shows. Source: RFC 6749 §4.5: an extension grant is named by a URI.
  public let descriptor = GrantDescriptor(
    grantType: GrantType("urn:example:grant:companion-code"),
    parameters: [GrantParameter("companion_code", .required, byteCountMax: 64, isSensitive: true), .scope],
    clientAuthentication: .anyRegistered, mayRefresh: true)

  private let pairings: any Pairings

  public init(pairings: any Pairings) { self.pairings = pairings }

  public func parse(_ form: GrantForm) throws(OAuthError) -> Request {
    guard let code = form["companion_code"] else {
      throw OAuthError(.invalidRequest, "a parameter is missing: companion_code")
    }
    return Request(code: code, scope: try form.scope())
  }

  public func plan(_ request: Request, _ context: GrantContext) async throws(OAuthError) -> IssuancePlan {
    let found: Pairing?
    do { found = try await pairings.pairing(code: request.code) } catch { throw OAuthError(error) }
    guard let pairing = found, pairing.client == context.client.id, context.now < pairing.expiresAt else {
      throw .grantRefused
    }

    let scope = request.scope ?? pairing.scope
    guard scope.isSubset(of: pairing.scope) else {
      throw OAuthError(.invalidScope, "the scope exceeds what was paired")
    }
    return IssuancePlan(
      .decided(Authorization(subject: pairing.subject, client: pairing.client, scope: scope)),
      wantsRefreshToken: true,
      // The issuing statement must win this artefact: of a hundred requests with one code, one is answered.
      consumes: [
        OneTimeArtefact(
          kind: "companion-code", id: SHA256.digest(request.code).bytes, expiresAt: pairing.expiresAt)
      ])
  }
}
