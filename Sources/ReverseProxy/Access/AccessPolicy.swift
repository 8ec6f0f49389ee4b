import OAuthCore

/// Who may use a route.
public struct AccessPolicy: Sendable, Hashable {
  /// Whose tokens are taken, in the order of the configuration; nobody else's are.
  public var accepts: [TokenAcceptance]
  /// What a browser session is good for in place of a token; nil: nothing.
  public var session: SessionRule?
  /// Every one of them must be in the token's scope.
  public var requiredScopes: ScopeSet
  /// When named, the token's `aud` must hold it.
  public var audience: String?
  /// No token is asked for; one that comes is neither looked at nor forwarded.
  public var isAnonymous: Bool
  /// Where a client that was refused learns whom to ask for a token; nil: challenges do not say. Source: RFC 9728 §5.1.
  public var resourceMetadata: String?

  public init(
    accepts: [TokenAcceptance] = [.own], session: SessionRule? = nil, requiredScopes: ScopeSet = [], audience: String? = nil, isAnonymous: Bool = false, resourceMetadata: String? = nil
  ) {
    self.accepts = accepts
    self.session = session
    self.requiredScopes = requiredScopes
    self.audience = audience
    self.isAnonymous = isAnonymous
    self.resourceMetadata = resourceMetadata
  }

  /// Whether tokens that this source vouches for are taken at all.
  public func takes(_ source: TokenSource) -> Bool { accepts.contains { $0.source == source } }

  public var takesForeignTokens: Bool { accepts.contains { $0.source.isForeign } }

  public static let anonymous = AccessPolicy(isAnonymous: true)

  /// Judges the facts of a token that is genuine and not revoked.
  ///
  /// Evaluated per request, after the cache: facts are shared between routes, decisions are not. What is known of a token
  /// because one route takes its issuer's lets nobody in on another that does not.
  ///
  /// - Parameter source: who vouches for the facts.
  ///
  /// Source: RFC 6750 §3.1; RFC 9068 §4 for the audience.
  public func decide(
    _ authorization: Authorization, from source: TokenSource = .own, expiresAt: Timestamp, at now: Timestamp
  ) -> AccessDecision {
    if isAnonymous { return .allow }
    guard now < expiresAt else { return .deny(.invalidToken) }
    let isMeantForUs = accepts.contains { acceptance in
      guard acceptance.source == source else { return false }
      guard let wanted = acceptance.audience ?? audience else { return true }
      return authorization.audience.contains(wanted)
    }
    guard isMeantForUs else { return .deny(.invalidToken) }
    guard requiredScopes.isSubset(of: authorization.scope) else { return .deny(.insufficientScope) }
    return .allow
  }
}

public enum AccessDecision: Sendable, Equatable {
  case allow
  case deny(AccessDenial)
}

/// Why a request is not let through. Source: RFC 6750 §3.1.
public enum AccessDenial: String, Sendable, CaseIterable {
  /// No bearer token was presented: a challenge without error code.
  case missingToken
  /// Two tokens, or one that is not `b64token`.
  case invalidRequest = "invalid_request"
  /// Unknown, expired, revoked, or meant for another audience.
  case invalidToken = "invalid_token"
  case insufficientScope = "insufficient_scope"

  public var status: Int {
    switch self {
    case .missingToken, .invalidToken: 401
    case .invalidRequest: 400
    case .insufficientScope: 403
    }
  }

  /// The value of `WWW-Authenticate`. Source: RFC 6750 §3; RFC 9728 §5.1; RFC 9110 §11.6.1.
  public func challenge(for policy: AccessPolicy) -> String {
    var value = "Bearer realm=\"postern\""
    if self != .missingToken { value += ", error=\"\(rawValue)\", error_description=\"\(sentence)\"" }
    // Scope tokens hold neither quotes nor backslashes (RFC 6749 §3.3), so they need no escaping.
    if self != .invalidRequest, !policy.requiredScopes.isEmpty { value += ", scope=\"\(policy.requiredScopes)\"" }
    // A `ProtectedResource` has made it, of characters that need no escaping either.
    if let metadata = policy.resourceMetadata { value += ", resource_metadata=\"\(metadata)\"" }
    return value
  }

  /// Within the characters of `error_description`: no quotes, no backslashes. Source: RFC 6750 §3.
  public var sentence: String {
    switch self {
    case .missingToken: "This route needs an access token."
    case .invalidRequest: "The Authorization field holds no single, well-formed bearer token."
    case .invalidToken: "The access token is unknown, expired, revoked, or meant for another audience."
    case .insufficientScope: "The access token lacks a scope that this route needs."
    }
  }
}
