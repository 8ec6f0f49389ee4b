import Cryptography
import JSON
import OAuthCore

/// The members that JWT access tokens (RFC 9068 §2.2) and introspection answers (RFC 7662 §2.2) have in common, read with
/// the suspicion that a stranger's words deserve.
struct ForeignClaims {
  let members: JSONObject

  /// Longer names are refused. Bytes. Source: OpenID Connect Core 1.0 §2, `sub`.
  static let nameByteCountMax = 255
  /// Scopes that are read of one token, and values of `aud`.
  static let listCountMax = 256

  /// What the token speaks for, in names that nobody else's tokens have.
  ///
  /// A subject or client of a source is `<namespace>#<name>`. Postern's own have no `#` behind a URL: its clients are
  /// without colon, its accounts begin with `user:`. So a stranger's "alice" has neither Alice's connections nor her share
  /// of a limit.
  func authorization(in namespace: String, scopeClaim: String?) throws(ForeignRefusal) -> Authorization {
    let constraint = SenderConstraint(members)
    // A certificate is checked with every request, as for tokens of Postern's own; of what else, nobody could be asked.
    guard constraint != .unknown else { throw .senderConstrained }
    let subject = try name("sub")
    let client = try name(members["client_id"] == nil ? "azp" : "client_id")
    guard let owner = subject ?? client else { throw .malformed("sub") }
    return Authorization(
      subject: Subject("\(namespace)#\(owner)"), client: ClientID("\(namespace)#\(client ?? owner)"),
      scope: try scope(scopeClaim), audience: try audience(),
      authenticatedAt: try date("auth_time").map { Timestamp(seconds: Int64($0)) },
      claims: constraint.replaced(in: [:]))
  }

  /// `exp`, later by what the clocks may differ. Source: RFC 7519 §4.1.4.
  func expiry(leeway: Duration) throws(ForeignRefusal) -> Timestamp? {
    try date("exp").map { Timestamp(seconds: Int64($0.rounded(.down))) + leeway }
  }

  /// Source: RFC 7519 §4.1.5; a token from the future (`iat`) was made by a clock that nothing else can be believed of.
  func requireBegun(at now: Timestamp, leeway: Duration) throws(ForeignRefusal) {
    for name in ["nbf", "iat"] {
      guard let moment = try date(name) else { continue }
      guard Timestamp(seconds: Int64(moment.rounded(.down))) - leeway <= now else { throw .notYetValid }
    }
  }

  func issuedAt() throws(ForeignRefusal) -> Timestamp? { try date("iat").map { Timestamp(seconds: Int64($0)) } }

  // MARK: Members

  /// Printable ASCII: no two spellings of one name, nothing that breaks a log line. Source: RFC 6749 Appendix A.1.
  private func name(_ member: String) throws(ForeignRefusal) -> String? {
    guard let value = members[member], value != .null else { return nil }
    guard let name = value.string, (1...Self.nameByteCountMax).contains(name.utf8.count),
      name.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
    else { throw .malformed(member) }
    return name
  }

  /// One string or an array of strings. Source: RFC 7519 §4.1.3.
  private func audience() throws(ForeignRefusal) -> [String] {
    guard let value = members["aud"], value != .null else { return [] }
    guard let audience = value.string.map({ [$0] }) ?? value.strings, audience.count <= Self.listCountMax else {
      throw .malformed("aud")
    }
    return audience
  }

  /// Scopes as RFC 6749 §3.3 writes them, or as an array. What is no scope token grants nothing.
  private func scope(_ claim: String?) throws(ForeignRefusal) -> ScopeSet {
    let member = claim ?? (members["scope"] == nil ? "scp" : "scope")
    guard let value = members[member], value != .null else { return ScopeSet() }
    guard let texts = value.string.map({ $0.split(separator: " ").map(String.init) }) ?? value.strings,
      texts.count <= Self.listCountMax
    else { throw .malformed(member) }
    return ScopeSet(texts.compactMap { Scope($0) })
  }

  /// Seconds since 1970, perhaps with a fraction, within the years 1970 to 9999. Source: RFC 7519 §2.
  private func date(_ member: String) throws(ForeignRefusal) -> Double? {
    let seconds: Double
    switch members[member] {
    case nil, .null: return nil
    case .integer(let value): seconds = Double(value)
    case .number(let value): seconds = value
    default: throw .malformed(member)
    }
    guard (0...253_402_300_799).contains(seconds) else { throw .malformed(member) }
    return seconds
  }
}
