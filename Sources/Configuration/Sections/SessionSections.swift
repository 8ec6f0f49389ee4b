import OAuthCore
import ReverseProxy

/// `session` of a route: what a browser session is good for there.
extension Section {
  /// - Parameters:
  ///   - required: the scopes that the route asks of tokens.
  ///   - isAnonymous: whether the route asks for nothing.
  func sessionRule(required: ScopeSet?, isAnonymous: Bool, _ known: KnownScopes?) -> SessionRule {
    var rule = SessionRule()
    nested("session") { section in
      section.replace(&rule.scopes, "scopes") { $0.uniqueList { $0.requiredScope(known) }.map { ScopeSet($0) } }
    }
    if isAnonymous { fault("\(value.path): an anonymous route asks nobody who they are, so it accepts no session") }
    let missing = (required ?? []).scopes.filter { !rule.scopes.contains($0) }
    if !missing.isEmpty {
      fault(
        "\(value.path): accounts have no scopes of their own; write session: { scopes: [\(missing.map(\.rawValue).joined(separator: ", "))] } if whoever "
          + "is signed in may use this route")
    }
    return rule
  }

  /// Browsers send the session's cookie to the host of Postern's pages only.
  func requireHost(_ host: String?, of issuer: Origin?) {
    guard let host, let issuer, host != issuer.host else { return }
    member("accept")?.fault("\(value.path): browsers send the session to \(issuer.host) only, not to \(host)")
  }
}
