import Broker
import Cryptography
import JSON
import OAuthCore

@testable import ReverseProxy

/// A foreign issuer that signs what a test wants.
struct Stranger {
  static let now = Timestamp(seconds: 1_700_000_000)
  static let name = "https://idp.example"
  let key: SigningKey

  init(_ algorithm: SigningAlgorithm = .es256, id: String? = "k1") { key = .generate(algorithm, id: id) }

  /// Claims that are accepted, changed as said; a null removes.
  static func claims(_ changes: JSONObject = [:]) -> JSONObject {
    var claims: JSONObject = [
      "iss": .string(name), "aud": "gw", "sub": "alice", "client_id": "app", "scope": "crm.read",
      "iat": .integer(now.seconds - 10), "exp": .integer(now.seconds + 600), "jti": "1",
    ]
    for (name, value) in changes.members { claims[name] = value == .null ? nil : value }
    return claims
  }

  func token(_ changes: JSONObject = [:], type: String = "at+jwt") -> String {
    JWT.sign(Self.claims(changes), type: type, with: key)
  }

  func fetched(at now: Timestamp = now) -> Fetched<VerificationKeySet> {
    Fetched(VerificationKeySet(JWKSet(keys: [key.publicJWK])), at: now)
  }

  func judge(
    _ token: String, by issuer: ForeignIssuer = ForeignIssuer(identifier: name), at now: Timestamp = now
  ) throws -> VouchedToken {
    try issuer.judge(
      try UnverifiedJWT(Array(token.utf8)), digest: SHA256.digest(token), with: fetched(at: now), at: now)
  }

  func refusal(
    _ token: String, by issuer: ForeignIssuer = ForeignIssuer(identifier: name), at now: Timestamp = now
  ) -> ForeignRefusal? {
    do {
      _ = try judge(token, by: issuer, at: now)
      return nil
    } catch {
      return error as? ForeignRefusal
    }
  }
}

extension IntrospectionService {
  static func example(
    _ url: String = "https://idp.example/introspect", issuer: String? = nil, lifetime: Duration = .seconds(30),
    stalenessMax: Duration = .zero, authentication: ProviderClient.Authentication = .basic
  ) -> IntrospectionService {
    IntrospectionService(
      endpoint: EndpointURL(url)!, client: ProviderClient(id: "gw", secret: Secret("s:e c"), authentication: authentication),
      issuer: issuer, lifetime: lifetime, stalenessMax: stalenessMax)
  }
}
