import Cryptography

/// How a request says which client it is from, before anything of it is believed. Source: RFC 6749 §2.3.
struct ClientCredentials: Sendable {
  let client: ClientID
  let method: ClientAuthenticationMethod
  /// nil only for `none`.
  let secret: Secret?

  /// Longer identifiers and secrets are refused unread. UTF-8 bytes.
  static let identifierByteCountMax = 256
  static let secretByteCountMax = 1024

  /// - Throws: `invalid_request` when two methods are used at once; `invalid_client` when none is, when it is not one of
  ///   ours, or when the credentials cannot be read.
  static func read(authorizationField: String?, form: Form) throws(OAuthError) -> ClientCredentials {
    let bodySecret = form["client_secret"]
    let hasAssertion = form["client_assertion"] != nil || form["client_assertion_type"] != nil
    let methodCount = (authorizationField != nil ? 1 : 0) + (bodySecret != nil ? 1 : 0) + (hasAssertion ? 1 : 0)
    // RFC 6749 §2.3: the client must not use more than one authentication method in each request.
    guard methodCount <= 1 else {
      throw OAuthError(.invalidRequest, "more than one client authentication method is used")
    }
    guard !hasAssertion else { throw .clientAuthenticationFailed }

    let credentials: ClientCredentials
    if let authorizationField {
      credentials = try basic(authorizationField)
      if let named = form["client_id"], named != credentials.client.rawValue {
        throw OAuthError(.invalidRequest, "client_id differs from the client that authenticates")
      }
    } else {
      guard let named = form["client_id"] else { throw .clientAuthenticationFailed }
      credentials = ClientCredentials(
        client: ClientID(named), method: bodySecret == nil ? .none : .clientSecretPost,
        secret: bodySecret.map { Secret($0) })
    }
    guard
      isClientIdentifier(credentials.client.rawValue),
      credentials.secret?.count ?? 0 <= secretByteCountMax
    else { throw .clientAuthenticationFailed }
    return credentials
  }

  /// `client-id = *VSCHAR`, not empty. Source: RFC 6749 appendix A.1.
  static func isClientIdentifier(_ text: String) -> Bool {
    (1...identifierByteCountMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
  }

  /// `Basic` credentials whose two parts are form-encoded inside. Source: RFC 6749 §2.3.1; RFC 7617 §2.
  private static func basic(_ field: String) throws(OAuthError) -> ClientCredentials {
    let bytes = Array(field.utf8)
    guard
      bytes.count > 6, bytes[5] == 0x20, zip(bytes, "basic".utf8).allSatisfy({ $0 | 0x20 == $1 }),
      let decoded = Base64.decode(Array(bytes[6...].drop { $0 == 0x20 })),
      let colon = decoded.firstIndex(of: UInt8(ascii: ":")),
      let client = try? FormDecoder.text(decoded[..<colon]), let secret = try? FormDecoder.text(decoded[(colon + 1)...])
    else { throw .clientAuthenticationFailed }
    return ClientCredentials(client: ClientID(client), method: .clientSecretBasic, secret: Secret(secret))
  }
}
