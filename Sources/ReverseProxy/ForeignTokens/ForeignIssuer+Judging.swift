import Broker
import Cryptography
import JSON
import OAuthCore

extension ForeignIssuer {
  /// Judges a token by the issuer's keys: everything but who may use it, which is for each route to say.
  ///
  /// - Parameters:
  ///   - digest: of the token's text.
  ///   - keys: what the issuer publishes, and until when that is believed.
  /// - Throws: the first check that fails: type, algorithm, signature, `iss`, `cnf`, names, `exp`, `nbf` and `iat`.
  ///   `signature(.unknownKey)` may be cured by fetching the keys again.
  ///
  /// Source: RFC 9068 §4; RFC 8725 §3.
  public func judge(
    _ token: UnverifiedJWT, digest: Digest256, with keys: Fetched<VerificationKeySet>, at now: Timestamp
  ) throws(ForeignRefusal) -> VouchedToken {
    try requireType(of: token)
    if let algorithm = token.algorithm, !algorithms.contains(algorithm) { throw .algorithm(algorithm.rawValue) }
    let key: Digest256
    do { key = try token.verify(with: keys.document) } catch { throw .signature(error) }
    guard let issuer = token.issuer, issuer.utf8.elementsEqual(identifier.utf8) else { throw .wrongIssuer }
    let claims = ForeignClaims(members: token.claims)
    let authorization = try claims.authorization(in: identifier, scopeClaim: scopeClaim)
    // RFC 7519 §4.1.4; RFC 9068 §2.2: a token without an end is none.
    guard let expiresAt = try claims.expiry(leeway: clockSkew) else { throw .malformed("exp") }
    guard now < expiresAt else { throw .expired }
    try claims.requireBegun(at: now, leeway: clockSkew)
    let facts = TokenFacts(
      foreign: authorization, digest: digest, issuedAt: try claims.issuedAt() ?? now, expiresAt: expiresAt)
    return VouchedToken(
      facts, from: .issuer(self), believedUntil: keys.believedUntil(at: now),
      endedBy: [.foreignKeyWithdrawn(issuer: identifier, key: key)])
  }

  /// Source: RFC 9068 §4; RFC 7515 §4.1.9: compared without case and without `application/`.
  private func requireType(of token: UnverifiedJWT) throws(ForeignRefusal) {
    let type = token.type?.lowercased()
    switch type.map({ $0.hasPrefix("application/") ? String($0.dropFirst(12)) : $0 }) {
    case "at+jwt": return
    case nil where tokenType == .jwt, "jwt" where tokenType == .jwt: return
    default: throw .type(token.type)
    }
  }
}

extension TokenFacts {
  /// Of a token that Postern did not issue: no family, and an id that names it and nothing of Postern's.
  init(foreign authorization: Authorization, digest: Digest256, issuedAt: Timestamp, expiresAt: Timestamp) {
    guard let id = Locator(bytes: digest.bytes.prefix(16)) else { preconditionFailure("a digest has 32 bytes") }
    self.init(
      authorization: authorization, family: nil, locator: id, issuedAt: issuedAt, expiresAt: expiresAt, secretHash: digest)
  }
}
