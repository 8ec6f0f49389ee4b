extension GrantParameter {
  /// Source: RFC 6749 §3.3.
  public static let scope = GrantParameter("scope", .optional)
  /// Source: RFC 8707 §2.
  public static let resource = GrantParameter("resource", .repeatable)
}

extension GrantForm {
  /// What `scope` asks for; nil: nothing was said, so the grant's default applies.
  ///
  /// - Throws: `invalid_scope` when it is not a list of scope tokens.
  public func scope() throws(OAuthError) -> ScopeSet? {
    guard let text = self["scope"] else { return nil }
    guard let scope = ScopeSet(parameter: text) else { throw OAuthError(.invalidScope, "the scope is malformed") }
    return scope
  }

  /// The resource indicators, in order and each once; empty when there are none.
  ///
  /// - Throws: `invalid_target` when one is no absolute URI or has a fragment. Source: RFC 8707 §2.
  public func resources() throws(OAuthError) -> [String] {
    var resources: [String] = []
    for resource in all("resource") where !resources.contains(resource) {
      guard isResourceIndicator(resource) else {
        throw OAuthError(.invalidTarget, "a resource is an absolute URI without a fragment")
      }
      resources.append(resource)
    }
    return resources
  }
}

/// `scheme ":" …` of visible ASCII, without a fragment. Source: RFC 8707 §2; RFC 3986 §4.3.
func isResourceIndicator(_ text: String) -> Bool {
  guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), let first = text.utf8.first else { return false }
  let isLetter = { (byte: UInt8) in (0x61...0x7a).contains(byte | 0x20) }
  let scheme = text.utf8[..<colon]
  return isLetter(first)
    && scheme.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e].contains($0) }
    && text.utf8.index(after: colon) < text.utf8.endIndex
    && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }
}
