import Cryptography
import JSON
import OAuthCore

/// What is sealed into the store: a token and enough to judge it after a restart.
struct CredentialRecord: Sendable, Equatable {
  var accessToken: Secret
  /// nil: the access token cannot be replaced without its user.
  var refreshToken: Secret?
  var obtainedAt: Timestamp
  /// As the provider said, without margins.
  var expiresAt: Timestamp
  /// What was asked for (`TokenRequest.fingerprint`): after a change of the configuration the token no longer fits.
  var fingerprint: String
  /// It was asked for because an upstream had refused the one before it.
  var followsRefusal = false

  /// Not to be sent from here on.
  var sendableUntil: Timestamp { expiresAt - RenewalMargins.margins(lifetime: expiresAt - obtainedAt, jitter: 0).hard }

  /// A successor is wanted from here on.
  ///
  /// - Parameter jitter: uniform in 0..<1.
  func renewAt(jitter: Double) -> Timestamp {
    expiresAt - RenewalMargins.margins(lifetime: expiresAt - obtainedAt, jitter: jitter).soft
  }

  func live(generation: Int64, jitter: Double, limits: BrokerLimits) -> LiveCredential {
    LiveCredential(
      fieldValue: Secret(bytes: LiveCredential.scheme + accessToken.exposedBytes), expiresAt: sendableUntil,
      renewAt: renewAt(jitter: jitter), generation: generation,
      heedsRefusalFrom: heedsRefusalFrom(limits), endsAt: expiresAt)
  }

  /// From here on another may be asked for because an upstream refuses this one.
  func heedsRefusalFrom(_ limits: BrokerLimits) -> Timestamp {
    followsRefusal ? obtainedAt + limits.stormWindow : Timestamp(microseconds: .min)
  }
}

extension CredentialRecord {
  init?(parsing bytes: [UInt8]) {
    guard let object = (try? JSON(parsing: bytes))?.object,
      let token = object["access_token"]?.string, let obtainedAt = object["obtained_at"]?.integer,
      let expiresAt = object["expires_at"]?.integer, let fingerprint = object["fingerprint"]?.string,
      obtainedAt < expiresAt
    else { return nil }
    self.init(
      accessToken: Secret(token), refreshToken: object["refresh_token"]?.string.map { Secret($0) }, obtainedAt: Timestamp(microseconds: obtainedAt),
      expiresAt: Timestamp(microseconds: expiresAt), fingerprint: fingerprint,
      followsRefusal: object["follows_refusal"] == .bool(true))
  }

  /// JSON; times in microseconds since 1970.
  var bytes: [UInt8] {
    var object: JSONObject = [
      "access_token": .string(accessToken.exposedText),
      "obtained_at": .integer(obtainedAt.microseconds),
      "expires_at": .integer(expiresAt.microseconds),
      "fingerprint": .string(fingerprint),
    ]
    if followsRefusal { object["follows_refusal"] = .bool(true) }
    if let refreshToken { object["refresh_token"] = .string(refreshToken.exposedText) }
    return object.bytes
  }
}
