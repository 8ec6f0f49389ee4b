import Cryptography
import JSON
import OAuthCore

/// What a token endpoint answered, read with the leniency that real providers need and no more.
///
/// Source: RFC 6749 §5.1, §5.2.
struct TokenResponse: Sendable, Equatable {
  var accessToken: Secret
  /// nil: not named, or not a positive number.
  var lifetime: Duration?
  /// nil: none came, or one that cannot be sent back.
  var refreshToken: Secret?
  /// Source: OpenID Connect Core §3.1.3.3.
  var idToken: Secret?
  /// nil: those that were asked for. Source: RFC 6749 §5.1.
  var scopes: [String]?

  /// RFC 6749 sets no limit; larger ones would not fit into a header section anyway.
  static let tokenByteCountMax = 16 * 1024

  init(accessToken: Secret, lifetime: Duration?, refreshToken: Secret? = nil, idToken: Secret? = nil, scopes: [String]? = nil) {
    self.accessToken = accessToken
    self.idToken = idToken
    self.scopes = scopes
    self.lifetime = lifetime
    self.refreshToken = refreshToken
  }

  init(
    reading response: ProviderResponse, quirks: ProviderQuirks = ProviderQuirks()
  ) throws(TokenEndpointFailure) {
    let retryAfter = RetryAfter.seconds(response.retryAfter)
    switch response.status {
    case 408, 425, 429, 500..<600: throw .transient(.status(response.status), retryAfter: retryAfter)
    case 200..<300, 400..<500: break
    default: throw .transient(.status(response.status), retryAfter: retryAfter)
    }
    let members = Members(response)
    // Before the token: some providers answer 200 with an error.
    if let code = members?["error"] { throw Self.failure(code: code, quirks, retryAfter: retryAfter) }
    guard response.status < 300 else { throw Self.failure(status: response.status, members, response) }
    guard let members = members?.standing(in: quirks.tokenMember) else {
      throw .transient(response.isHTML ? .html(status: response.status) : .malformed, retryAfter: nil)
    }
    guard let token = members["access_token"], Self.isSendable(token) else {
      throw .transient(.malformed, retryAfter: nil)
    }
    // A type that is not understood must not be used. Source: RFC 6749 §7.1.
    guard members["token_type"].map({ $0.lowercased() == "bearer" || $0 == quirks.tokenType }) ?? true else {
      throw .refused(.unsupportedTokenType)
    }
    let refreshToken = members["refresh_token"].flatMap { Self.isSendable($0) ? Secret($0) : nil }
    self.init(accessToken: Secret(token), lifetime: members.seconds("expires_in"), refreshToken: refreshToken,
      idToken: members["id_token"].map { Secret($0) }, scopes: members.scopes(separatedBy: quirks.scopeSeparator))
  }

  private static func failure(code: String, _ quirks: ProviderQuirks, retryAfter: Duration?) -> TokenEndpointFailure {
    switch code {
    case _ where quirks.invalidGrantCodes.contains(code): .refused(.invalidGrant)
    case "temporarily_unavailable", "server_error", "slow_down": .transient(.announced, retryAfter: retryAfter)
    default: .refused(ProviderRefusal(rawValue: code) ?? .other)
    }
  }

  /// A client error without an error code.
  private static func failure(status: Int, _ members: Members?, _ response: ProviderResponse) -> TokenEndpointFailure {
    if response.isHTML { return .transient(.html(status: status), retryAfter: nil) }
    return .refused(status == 401 ? .invalidClient : .other)
  }

  /// Printable ASCII without spaces: what a field value can carry after `Bearer`. Source: RFC 6749 Appendix A.12.
  private static func isSendable(_ token: String) -> Bool {
    !token.isEmpty && token.utf8.count <= tokenByteCountMax && token.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }
}

/// The members of an answer, JSON or form: a few providers send `access_token=…&expires_in=…`.
private struct Members {
  private let object: JSONObject

  init?(_ response: ProviderResponse) {
    let bytes = response.body.exposedBytes
    if let object = (try? JSON(parsing: bytes))?.object {
      self.object = object
      return
    }
    guard !response.isHTML, let form = try? FormDecoder.decode(bytes), form.repeated(except: { _ in false }) == nil,
      form.contains("access_token") || form.contains("error")
    else { return nil }
    var object = JSONObject()
    for (name, value) in form.pairs { object[name] = .string(value) }
    self.object = object
  }

  private init(object: JSONObject) { self.object = object }

  /// The members of the object that is `name`, where there is one.
  func standing(in name: String?) -> Members {
    name.flatMap { object[$0]?.object }.map(Members.init(object:)) ?? self
  }

  subscript(name: String) -> String? { object[name]?.string }

  /// As the provider separates them; spaces separate always. nil: none are named.
  func scopes(separatedBy separator: String) -> [String]? {
    let scopes = self["scope"]?.split { $0 == " " || String($0) == separator }.map(String.init) ?? []
    return scopes.isEmpty ? nil : scopes
  }

  /// A number, or a number in a string; nil unless positive.
  func seconds(_ name: String) -> Duration? {
    let seconds: Double? =
      switch object[name] {
      case .integer(let value): Double(value)
      case .number(let value): value
      case .string(let text): Double(text)
      default: nil
      }
    guard let seconds, seconds.isFinite, seconds >= 1 else { return nil }
    return min(.seconds(min(seconds, 1e12).rounded(.down)), RenewalMargins.lifetimeMax)
  }
}

extension ProviderResponse {
  /// Error pages come with and without their media type.
  var isHTML: Bool {
    if let contentType, contentType.lowercased().hasPrefix("text/html") { return true }
    return body.exposedBytes.first { $0 > 0x20 } == UInt8(ascii: "<")
  }
}
