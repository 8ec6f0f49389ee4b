import OAuthCore

extension YAMLValue {
  var tokenSettings: TokenSettings? {
    section { section in
      var settings = TokenSettings()
      section.nested("access") { access in
        access.replace(&settings.accessFormat, "format") { $0.choice(AccessTokenFormat.self) }
        access.replace(&settings.accessLifetime, "lifetime") { $0.accessLifetime }
      }
      section.nested("code") { code in
        code.replace(&settings.codeLifetime, "lifetime") { $0.duration(in: .seconds(1) ... .seconds(60)) }
      }
      section.nested("refresh") { refresh in
        let range = Duration.seconds(60) ... .seconds(365 * 86_400)
        refresh.replace(&settings.refreshIdle, "idle") { $0.duration(in: range) }
        refresh.replace(&settings.refreshAbsolute, "absolute") { $0.duration(in: range) }
        refresh.replace(&settings.refreshGrace, "grace") { $0.duration(in: .zero ... .seconds(300)) }
        if settings.refreshIdle > settings.refreshAbsolute {
          refresh.fault("\(refresh.value.path): idle must not be longer than absolute")
        }
      }
      return settings
    }
  }

  /// Longer than a day is what refresh tokens are for.
  var accessLifetime: Duration? { duration(in: .seconds(1) ... .seconds(86_400)) }

  var scopeDescriptions: [ScopeDescription]? {
    members { name, key, value in
      guard let scope = Scope(name) else {
        return key.fault("\"\(name)\" is no scope: visible ASCII without space, quote and backslash (RFC 6749 §3.3)")
      }
      return value.text.map { ScopeDescription(scope: scope, text: $0) }
    }
  }

  /// The grants that are switched on, in the file's order.
  func enabledGrants(of registered: [GrantType]) -> [GrantType]? {
    uniqueList { value in
      if case .mapping = value.node { return value.fault("external grants are not available in this version") }
      return value.grantType(among: registered) { name in
        "this program has no grant \"\(name)\"; it has \(registered.map(\.rawValue).joined(separator: ", "))"
          + " (one of your own comes with a program of your own, such as Examples/CustomGrantServer)"
      }
    }
  }

  /// - Parameter objection: what to say of a name that is not among `grants`.
  func grantType(among grants: [GrantType], _ objection: (_ name: String) -> String) -> GrantType? {
    guard let text else { return nil }
    if let grant = grants.first(where: { $0.rawValue == text }) { return grant }
    // Source: RFC 9700 §2.1.2, §2.4.
    if ["password", "implicit"].contains(text) {
      return fault("the \(text) grant is not offered (RFC 9700 §2); use authorization_code with PKCE")
    }
    return fault("\(objection(text))\(didYouMean(text, among: grants.map(\.rawValue)))")
  }
}
