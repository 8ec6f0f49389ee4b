import Cryptography
import OAuthCore
import ReverseProxy

/// What a route that takes tokens of others needs to have them verified.
struct ForeignGate {
  private let access: AccessPolicy
  private let dispatch: TokenDispatch
  private let sources: ForeignSources
  private let acceptedSources: [TokenSource]

  /// - Returns: nil for a route that takes Postern's own only.
  init?(_ access: AccessPolicy, _ dispatch: TokenDispatch, _ sources: ForeignSources) {
    guard access.takesForeignTokens else { return nil }
    self.access = access
    self.dispatch = dispatch
    self.sources = sources
    var accepted: [TokenSource] = []
    for source in access.accepts.map(\.source) where !accepted.contains(source) { accepted.append(source) }
    acceptedSources = accepted
  }

  /// What is to be done about a token that nothing is known of.
  enum Step {
    case vouched(VouchedToken)
    /// - Parameter source: who refused it; nil: nobody was asked.
    case refused(TokenSource?)
    case unavailable
    case ask(Inquiry, @Sendable () async throws(StoreFailure) -> VouchedToken?)
    case askOwn
  }

  func step(_ token: [UInt8], _ digest: Digest256) -> Step {
    switch dispatch.destination(of: token, on: access) {
    case .own: return .askOwn
    case .nobody: return .refused(nil)
    case .issuer(let issuer, let jwt):
      let keys = sources.keys(of: issuer)
      switch keys.judge(jwt, digest) {
      case .vouched(let vouched): return .vouched(vouched)
      case .refused: return .refused(.issuer(issuer))
      case .unavailable: return .unavailable
      case .wait:
        return .ask(Inquiry(digest: digest, source: .issuer(issuer))) { () async throws(StoreFailure) in
          try await keys.verify(jwt, digest)
        }
      }
    case .introspection(let service):
      let introspector = sources.introspector(of: service)
      return .ask(Inquiry(digest: digest, source: .introspection(service))) { () async throws(StoreFailure) in
        try await introspector.verify(token, digest)
      }
    }
  }

  /// Whether one of those whom the route would ask refused the token a moment ago.
  func hasRefused(_ digest: Digest256, in cache: VerificationCache, at now: Timestamp) -> Bool {
    acceptedSources.contains { cache.isRefused(Inquiry(digest: digest, source: $0), at: now) }
  }
}
