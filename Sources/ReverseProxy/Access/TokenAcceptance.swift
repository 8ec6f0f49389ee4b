/// Whose tokens a route takes: one entry of its list.
public enum TokenAcceptance: Sendable, Hashable, CustomStringConvertible {
  /// Postern's own access tokens.
  case own
  /// JWTs that a foreign issuer signed for an audience.
  ///
  /// - Parameter audience: what Postern is called there: a token for anybody else must not be let in (RFC 9068 §4).
  case issuer(ForeignIssuer, audience: String)
  /// Tokens that a foreign endpoint vouches for.
  ///
  /// - Parameter audience: nil: the one that the route requires of every token, if it does.
  case introspection(IntrospectionService, audience: String?)

  public var source: TokenSource {
    switch self {
    case .own: .own
    case .issuer(let issuer, _): .issuer(issuer)
    case .introspection(let service, _): .introspection(service)
    }
  }

  /// What `aud` must hold; nil: what the route requires of every token.
  public var audience: String? {
    switch self {
    case .own: nil
    case .issuer(_, let audience): audience
    case .introspection(_, let audience): audience
    }
  }

  /// As the configuration spells it.
  public var description: String { source.description }
}

/// Who vouches for a token, and how far he is trusted. Facts that were had under other terms are another source's.
public enum TokenSource: Sendable, Hashable, CustomStringConvertible {
  /// Postern itself.
  case own
  /// A browser session of Postern's own pages, in place of a token.
  case session
  /// The signature of a foreign issuer.
  case issuer(ForeignIssuer)
  /// The answer of a foreign endpoint.
  case introspection(IntrospectionService)

  public var isForeign: Bool {
    switch self {
    case .own, .session: false
    case .issuer, .introspection: true
    }
  }

  public var description: String {
    switch self {
    case .own: "self"
    case .session: "session"
    case .issuer(let issuer): "jwt \(issuer.identifier)"
    case .introspection(let service): "introspection \(service.endpoint.origin)"
    }
  }

  /// What keeps the subjects and clients of this source apart from Postern's and from those of others.
  ///
  /// Without `#`, as every issuer identifier (RFC 8414 §2) and every `EndpointURL` is.
  var namespace: String? {
    switch self {
    case .own, .session: nil
    case .issuer(let issuer): issuer.identifier
    case .introspection(let service): service.issuer ?? service.endpoint.description
    }
  }
}
