import Cryptography
import JSON

/// What a flow needs when it comes back, and nobody else may know: sealed while the browser is away.
struct ConnectSecrets: Sendable, Equatable {
  /// Source: RFC 7636 §4.1.
  var verifier: Secret
  /// Where the provider speaks OpenID Connect. Source: OpenID Connect Core §15.5.2.
  var nonce: String?

  static func random(_ source: any RandomSource, withNonce: Bool) -> ConnectSecrets {
    ConnectSecrets(
      verifier: Secret(Base64URL.encode(source.bytes(32))), nonce: withNonce ? Base64URL.encode(source.bytes(16)) : nil)
  }

  init(verifier: Secret, nonce: String? = nil) {
    self.verifier = verifier
    self.nonce = nonce
  }

  init?(parsing bytes: [UInt8]) {
    guard let object = (try? JSON(parsing: bytes))?.object, let verifier = object["verifier"]?.string else { return nil }
    self.init(verifier: Secret(verifier), nonce: object["nonce"]?.string)
  }

  var bytes: [UInt8] {
    var object: JSONObject = ["verifier": .string(verifier.exposedText)]
    if let nonce { object["nonce"] = .string(nonce) }
    return object.bytes
  }
}
