import Cryptography
import JSON

/// What a flow needs when it comes back, and nobody else may know: sealed while the browser is away.
struct ConnectSecrets: Sendable, Equatable {
  /// Source: RFC 7636 §4.1.
  var verifier: Secret
  /// Where the provider speaks OpenID Connect. Source: OpenID Connect Core §15.5.2.
  var nonce: String?
  /// What was asked for, so that an answer that names no scope is understood. Source: RFC 6749 §5.1.
  var scopes: [String] = []
  /// Where the browser goes afterwards; nil: to the account page.
  var returnTo: String?

  static func random(_ source: any RandomSource, for provider: Provider, returnTo: String?) -> ConnectSecrets {
    var secrets = ConnectSecrets(
      verifier: Secret(Base64URL.encode(source.bytes(32))),
      nonce: provider.speaksOpenID ? Base64URL.encode(source.bytes(16)) : nil)
    secrets.scopes = provider.scopes
    secrets.returnTo = returnTo
    return secrets
  }

  init(verifier: Secret, nonce: String? = nil) {
    self.verifier = verifier
    self.nonce = nonce
  }

  init?(parsing bytes: [UInt8]) {
    guard let object = (try? JSON(parsing: bytes))?.object, let verifier = object["verifier"]?.string else { return nil }
    self.init(verifier: Secret(verifier), nonce: object["nonce"]?.string)
    scopes = object["scopes"]?.strings ?? []
    returnTo = object["return_to"]?.string
  }

  var bytes: [UInt8] {
    var object: JSONObject = [
      "verifier": .string(verifier.exposedText), "scopes": .array(scopes.map(JSON.string)),
    ]
    if let returnTo { object["return_to"] = .string(returnTo) }
    if let nonce { object["nonce"] = .string(nonce) }
    return object.bytes
  }
}
