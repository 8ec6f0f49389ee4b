extension ClientID {
  /// Why no client may have this id; nil: it may.
  ///
  /// Visible ASCII without a colon: a colon separates client and secret in Basic credentials, and subjects of accounts
  /// have one, so that no client can be taken for a user. Source: RFC 6749 §2.2; RFC 9700 §4.15.
  public var objection: String? {
    let isLegal = (1...128).contains(rawValue.utf8.count)
      && rawValue.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }
    return isLegal ? nil : "a client id is at most 128 visible ASCII characters without a colon"
  }
}

extension Client {
  /// Why this client must not be registered; nil: it may. A sentence for the operator.
  ///
  /// - Parameters:
  ///   - registered: the grants that the server has.
  ///   - explained: the scopes that the consent page has words for; nil: those were looked at already.
  public func objection(grants registered: [GrantType], explained: [Scope]? = nil) -> String? {
    if let objection = id.objection { return objection }
    guard (1...256).contains(name.utf8.count), name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    else { return "a client's name is 1 to 256 bytes long, without control characters" }
    if grants.isEmpty { return "a client needs at least one grant, such as client_credentials" }
    for grant in grants.sorted(by: { $0.rawValue < $1.rawValue }) where !registered.contains(grant) {
      return "there is no grant '\(grant)' here; there are \(registered.map(\.rawValue).joined(separator: ", "))"
    }
    if authentication == .tlsClientAuth, certificateName == nil {
      return "tls_client_auth needs the name that the client's certificate has; such clients stand in the configuration"
    }
    if isPublic, grants.contains(.clientCredentials) {
      return "client_credentials is for clients with a secret (RFC 6749 §4.4)"
    }
    if grants.contains(.authorizationCode), redirectURIs.isEmpty {
      return "authorization_code needs a redirect URI (RFC 9700 §2.1)"
    }
    for uri in redirectURIs {
      if let objection = RedirectURI.objection(to: uri) { return "the redirect URI '\(uri)' \(objection)" }
    }
    for audience in audiences where !ResourceIndicator.isWellFormed(audience) {
      return "the audience '\(audience)' is not an absolute URI without fragment (RFC 8707 §2)"
    }
    if grants.contains(.authorizationCode), let explained,
      let mute = scopes.scopes.first(where: { !explained.contains($0) })
    {
      return "the scope '\(mute)' is not declared under scopes in the configuration, so the consent page could not explain it"
    }
    return nil
  }
}
