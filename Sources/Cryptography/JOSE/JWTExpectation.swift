import JSON

/// What a token must say to be accepted. `exp` is always required.
///
/// Each nil is a decision of the caller not to check, so no parameter has a default but the leeway.
public struct JWTExpectation: Sendable, Hashable {
  /// `typ`, compared as a media type without its `application/`; nil: any or none.
  public let type: String?
  /// `iss`, byte for byte; nil: any.
  public let issuer: String?
  /// Accepted when one of these is in `aud`; nil: any.
  public let audiences: [String]?
  /// How far clocks may differ.
  public let leeway: Duration

  public init(type: String?, issuer: String?, audiences: [String]?, leeway: Duration = .zero) {
    precondition(leeway >= .zero, "a leeway is not negative")
    self.type = type
    self.issuer = issuer
    self.audiences = audiences
    self.leeway = leeway
  }

  /// Source: RFC 7515 §4.1.9; RFC 9068 §4.
  func check(type actual: String?) throws(JWTError) {
    guard let type else { return }
    guard let actual, Self.mediaType(actual) == Self.mediaType(type) else { throw .wrongType }
  }

  /// Judges claims whose signature was verified before, or is vouched for otherwise: `iss`, `aud`, `exp`, `nbf`.
  ///
  /// - Parameter now: seconds since 1970-01-01T00:00:00Z.
  public func check(_ claims: JSONObject, now: Int64) throws(JWTError) {
    if let issuer {
      guard let actual = claims["iss"]?.string, isSame(actual, issuer) else { throw .wrongIssuer }
    }
    if let audiences {
      let actual = try audience(of: claims)
      guard actual.contains(where: { value in audiences.contains { isSame($0, value) } }) else { throw .wrongAudience }
    }
    let leeway = leeway.components.seconds
    // RFC 7519 §4.1.4: on or after the expiration time the token must not be accepted.
    guard let expiry = try numericDate("exp", of: claims) else { throw .malformedClaim("exp") }
    guard Double(now) < expiry + Double(leeway) else { throw .expired }
    if let start = try numericDate("nbf", of: claims), Double(now) < start - Double(leeway) { throw .notYetValid }
  }

  /// One string or an array of strings. Source: RFC 7519 §4.1.3.
  private func audience(of claims: JSONObject) throws(JWTError) -> [String] {
    guard let value = claims["aud"] else { throw .wrongAudience }
    guard let audience = value.string.map({ [$0] }) ?? value.strings else { throw .malformedClaim("aud") }
    return audience
  }

  /// Seconds since 1970, perhaps with a fraction. Source: RFC 7519 §2.
  private func numericDate(_ name: String, of claims: JSONObject) throws(JWTError) -> Double? {
    switch claims[name] {
    case nil: return nil
    case .integer(let value): return Double(value)
    case .number(let value): return value
    default: throw .malformedClaim(name)
    }
  }

  private static func mediaType(_ type: String) -> String {
    let type = type.lowercased()
    return type.hasPrefix("application/") ? String(type.dropFirst("application/".count)) : type
  }

  /// Swift's `==` takes canonically equivalent texts for equal; claims are compared code point by code point.
  ///
  /// Source: RFC 7519 §7.3.
  private func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
}
