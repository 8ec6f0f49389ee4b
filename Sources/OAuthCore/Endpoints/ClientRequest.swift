/// A POST to an endpoint at which clients authenticate: token, introspection, revocation.
public struct ClientRequest: Sendable {
  /// Larger bodies are refused undecoded. Bytes.
  public static let bodyByteCountMax = 64 * 1024

  /// `Content-Type`; nil when there was none.
  public var contentType: String?
  /// `Authorization`; nil when there was none. The adapter refuses a request that carries several.
  public var authorizationField: String?
  /// What followed `?`; nil when there was none.
  public var query: String?
  public var body: [UInt8]
  /// Address literal of the peer, or of the client that a trusted proxy names.
  public var remoteAddress: String
  /// In DER, of the client that proved to hold its key: verified, unless nil.
  public var certificate: [UInt8]?

  public init(
    contentType: String?, authorizationField: String? = nil, query: String? = nil, body: [UInt8],
    remoteAddress: String = "127.0.0.1", certificate: [UInt8]? = nil
  ) {
    self.contentType = contentType
    self.authorizationField = authorizationField
    self.query = query
    self.body = body
    self.remoteAddress = remoteAddress
    self.certificate = certificate
  }

  /// The decoded body, after everything that can be refused without looking at a single parameter.
  ///
  /// - Throws: `invalid_request`.
  ///
  /// Source: RFC 6749 §3.2, §2.3.1.
  func form() throws(OAuthError) -> Form {
    guard body.count <= Self.bodyByteCountMax else {
      throw OAuthError(.invalidRequest, "the request body is too large")
    }
    guard let contentType, isFormContentType(contentType) else {
      throw OAuthError(.invalidRequest, "the content type must be application/x-www-form-urlencoded")
    }
    if let query, !query.isEmpty { try requireHarmless(query) }
    do { return try FormDecoder.decode(body) } catch { throw OAuthError(error) }
  }

  /// URLs end up in logs and histories: nothing this endpoint reads may stand in one.
  ///
  /// Source: RFC 6749 §2.3.1: the parameters must not be included in the request URI.
  private func requireHarmless(_ query: String) throws(OAuthError) {
    let form: Form
    do { form = try FormDecoder.decode(Array(query.utf8)) } catch { throw OAuthError(error) }
    for pair in form.pairs where Self.bodyOnly.contains(pair.name) {
      throw OAuthError(.invalidRequest, "parameters belong in the request body, not in the URL")
    }
  }

  private static let bodyOnly: Set<String> = [
    "grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "code", "code_verifier",
    "redirect_uri", "refresh_token", "assertion", "subject_token", "actor_token", "device_code", "scope", "resource",
    "audience", "username", "password", "token", "access_token",
  ]
}

/// `application/x-www-form-urlencoded`, with no parameter or `charset=utf-8`. Source: RFC 9110 §8.3.1.
func isFormContentType(_ field: String) -> Bool {
  // What nearly every client sends, without taking it apart.
  if field == "application/x-www-form-urlencoded" { return true }
  let parts = field.split(separator: ";", omittingEmptySubsequences: false).map { part in
    part.trimmed.lowercased()
  }
  guard parts[0] == "application/x-www-form-urlencoded" else { return false }
  return parts.dropFirst().allSatisfy { $0 == "charset=utf-8" || $0 == "charset=\"utf-8\"" }
}

extension Substring {
  /// Without the optional white space of RFC 9110 §5.6.3 around it.
  fileprivate var trimmed: Substring {
    var part = self
    while let first = part.first, first == " " || first == "\t" { part.removeFirst() }
    while let last = part.last, last == " " || last == "\t" { part.removeLast() }
    return part
  }
}
