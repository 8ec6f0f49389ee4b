import Broker
import Cryptography
import OAuthCore
import ReverseProxy

extension YAMLValue {
  /// What a route sends in place of the caller's token.
  func credential(_ providers: Declarations<Provider>, for upstream: Upstream?) -> CredentialRule? {
    section { section in
      let kind = section.required("kind") { value in
        value.choice(
          [
            "client_credentials", "jwt_bearer", "connection", "token_exchange", "signed_assertion", "api_key", "basic", "none",
          ].map { ($0, $0) })
      }
      switch kind {
      case "client_credentials", "jwt_bearer", "connection", "token_exchange":
        let rule = section.required("provider") { $0.providerCredential(providers, kind: kind ?? "", for: upstream) }
        guard kind == "connection", let id = section.member("id") else { return rule }
        guard let connection = id.connectionID, case .connection(let provider) = rule else { return nil }
        return .ownedConnection(provider: provider, id: connection)
      case "signed_assertion":
        return section.signedAssertion(for: upstream)
      case "api_key":
        let field = section.required("header") { $0.credentialField }
        let key = section.required("secret") { $0.fieldSecret }
        guard let field, let key else { return nil }
        return .apiKey(fieldName: field, key: key)
      case "basic":
        let username = section.required("username") { $0.basicUsername }
        let password = section.required("secret") { $0.fieldSecret }
        guard let username, let password else { return nil }
        return .basic(username: username, password: password)
      case "none":
        return CredentialRule.none
      default:
        // The kind is faulty; the members of every kind are known all the same.
        for key in ["provider", "header", "secret", "username", "audience", "lifetime", "id"] { _ = section.member(key) }
        return nil
      }
    }
  }

  private func providerCredential(
    _ providers: Declarations<Provider>, kind: String, for upstream: Upstream?
  ) -> CredentialRule? {
    guard let provider = providers.resolve("provider", at: self) else { return nil }
    requireDestination(provider, allows: upstream)
    if provider.release == .never {
      return fault("provider \"\(provider.id)\" says release: never, so no route sends its tokens")
    }
    let (grant, rule) = provider.use
    guard rule.kind == kind else {
      return fault("provider \"\(provider.id)\" has grant: \(grant), so a route uses it by kind: \(rule.kind)")
    }
    return rule.rule
  }

  private var connectionID: Locator? {
    guard let text else { return nil }
    return Locator(text: text) ?? fault("\(path) must be the id of a connection, as `postern connection list` shows it")
  }

  /// A provider's tokens go to the hosts it allows and nowhere else.
  private func requireDestination(_ provider: Provider, allows upstream: Upstream?) {
    for server in upstream?.servers ?? [] where !provider.allows(host: server.host) {
      fault(
        "provider \"\(provider.id)\" does not let its tokens go to \(server.host), a server of upstream "
          + "\"\(upstream?.name ?? "")\"; add it to allowed_hosts if it may have them")
    }
  }

  /// The field that carries an API key: any but those that frame or route the request.
  fileprivate var credentialField: String? {
    guard let text else { return nil }
    guard FieldRules.canCarryCredential(text) else { return fault("\(path): \"\(text)\" cannot carry a credential") }
    return text
  }

  /// A secret that is sent as a field value. Source: RFC 9110 §5.5, without obs-text.
  private var fieldSecret: Secret? {
    guard let secret else { return nil }
    guard secret.exposedBytes.allSatisfy({ (0x20...0x7e).contains($0) }) else {
      return fault("\(path) must be visible ASCII, since it is sent as a header field")
    }
    return secret
  }

  /// Source: RFC 7617 §2: a user-id has no colon.
  private var basicUsername: String? {
    guard let text else { return nil }
    return text.contains(":") ? fault("\(path) must not have a colon (RFC 7617 §2)") : text
  }
}

extension Section {
  /// The audience is the upstream as the configuration names its first server, unless it knows itself by another name.
  fileprivate func signedAssertion(for upstream: Upstream?) -> CredentialRule? {
    let audience = optional("audience", default: upstream?.servers.first?.description ?? "") { $0.text }
    let field = optional("header", default: SignedAssertionRule.usualFieldName) { $0.credentialField }
    let lifetime = optional("lifetime", default: SignedAssertionRule.usualLifetime) { value in
      value.duration(in: .seconds(30) ... .seconds(3600))
    }
    guard let audience, let field, let lifetime else { return nil }
    return .signedAssertion(SignedAssertionRule(audience: audience, fieldName: field, lifetime: lifetime))
  }
}

extension Provider {
  /// Its grant, and how routes use it, both as the configuration spells them.
  fileprivate var use: (grant: String, rule: (kind: String, rule: CredentialRule)) {
    guard authorization == nil else { return ("authorization_code", ("connection", .connection(provider: id))) }
    return switch grant {
    case .clientCredentials: ("client_credentials", ("client_credentials", .clientCredentials(provider: id)))
    case .jwtBearer: ("jwt_bearer", ("jwt_bearer", .jwtBearer(provider: id)))
    case .tokenExchange: ("token_exchange", ("token_exchange", .tokenExchange(provider: id)))
    }
  }
}
