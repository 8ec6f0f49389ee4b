import OAuthCore
import ReverseProxy

extension VouchedToken {
  /// A token of Postern's own, and the one rule of how long each format is believed.
  ///
  /// - While changes reach this process, what is remembered is believed until one of them ends it.
  /// - While they may not, an opaque token is asked about every time: no answer of the store, no request. A JWT is
  ///   verified again every second, and the verifier asks the store whether it was revoked; if the store is out of reach,
  ///   too, the signature is enough until the token expires, so that routes for JWTs outlive the database.
  init(own facts: TokenFacts, presented token: [UInt8], at now: Timestamp) {
    let isStored = token.starts(with: Self.opaquePrefix)
    self.init(
      facts: facts, source: .own, believedUntil: Timestamp(microseconds: .max),
      believedAloneUntil: isStored ? Timestamp(microseconds: .min) : now + Self.aloneMax,
      endedBy: [
        .accessTokenRevoked(facts.locator), .clientChanged(facts.client), .accountChanged(facts.subject),
        .signingKeysChanged,
      ] + (facts.family.map { [.familyRevoked($0)] } ?? []))
  }

  /// Between two verifications of a JWT while changes may not reach this process.
  private static let aloneMax = Duration.seconds(1)

  /// `pat_`: facts of such tokens come from the store, those of a JWT from the token itself.
  private static let opaquePrefix = Array("\(HandleKind.accessToken.rawValue)_".utf8)
}
