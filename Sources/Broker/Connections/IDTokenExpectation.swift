import Cryptography
import JSON
import OAuthCore

/// What the ID token of one flow has to say. Source: OpenID Connect Core §3.1.3.7.
struct IDTokenExpectation: Sendable, Equatable {
  /// How far the provider's clock may differ from ours.
  static let leeway = Duration.seconds(60)
  /// It is issued for the answer that it comes with; older ones were taken from somewhere. Includes the leeway.
  static let ageMax = Duration.seconds(10 * 60)

  let issuer: String
  let clientID: String
  let nonce: String

  /// Judges everything but the signature.
  func check(_ token: UnverifiedJWT, at now: Timestamp) throws(IDTokenFailure) {
    // Steps 7 and 8: signed, and by a key that nobody but the provider has; never `none`, never the client's secret.
    guard token.algorithm != nil else { throw .algorithm }
    let expectation = JWTExpectation(type: nil, issuer: issuer, audiences: [clientID], leeway: Self.leeway)
    // Steps 2, 3 and 9.
    do { try expectation.check(token.claims, now: now.seconds) } catch { throw .claims(error) }
    // Steps 4 and 5: of several audiences, one has asked, and it was this client.
    let party = token.claims["azp"]
    if party != nil || token.claims["aud"]?.array.map({ $0.count > 1 }) ?? false {
      guard let party = party?.string, party.utf8.elementsEqual(clientID.utf8) else { throw .authorizedParty }
    }
    // Step 10.
    guard let issuedAt = token.claims["iat"]?.integer else { throw .claims(.malformedClaim("iat")) }
    let age = now.seconds.subtractingReportingOverflow(issuedAt)
    guard !age.overflow, (-Self.leeway.components.seconds...Self.ageMax.components.seconds).contains(age.partialValue) else {
      throw .claims(.malformedClaim("iat"))
    }
    guard let subject = token.claims["sub"]?.string, !subject.isEmpty else { throw .claims(.malformedClaim("sub")) }
    // Step 11.
    guard let actual = token.claims["nonce"]?.string, actual.utf8.elementsEqual(nonce.utf8) else { throw .nonce }
  }
}

/// Why an ID token is refused, and with it the tokens that came along.
public enum IDTokenFailure: Error, Sendable, Hashable {
  /// None came, though `openid` was asked for.
  case missing
  case malformed
  /// No signature, or one that others could have made, too.
  case algorithm
  case claims(JWTError)
  /// It was issued to another client.
  case authorizedParty
  /// It belongs to another flow: it may have been injected.
  case nonce
  case signature
  /// The provider's keys cannot be had.
  case keysUnavailable
}
