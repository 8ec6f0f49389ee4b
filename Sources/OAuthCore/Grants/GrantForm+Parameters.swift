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
      guard ResourceIndicator.isWellFormed(resource) else {
        throw OAuthError(.invalidTarget, "a resource is an absolute URI without a fragment")
      }
      resources.append(resource)
    }
    return resources
  }
}
