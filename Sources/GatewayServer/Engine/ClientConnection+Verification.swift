import Cryptography
import HTTPWire
import OAuthCore
import ReverseProxy

/// From a token that nothing is known of to its facts: at once where they are to be had on this loop, else the request
/// waits for them.
extension ClientConnection {
  enum Finding {
    case known(VerifiedToken)
    /// - Parameter Int: bytes done with.
    case decided(Int)
  }

  func find(_ presented: Span<UInt8>, _ digest: Digest256, for route: LoopRoute, _ bytes: Span<UInt8>) -> Finding {
    guard Bearer.isToken(presented) else { return .decided(deny(.invalidRequest, route, bytes)) }
    engine.count { $0.tokenMisses += 1 }
    let now = engine.wallNow
    guard let foreign = route.foreign else { return .decided(askOwn(presented, digest, for: route, bytes)) }
    guard !foreign.hasRefused(digest, in: engine.verification, at: now) else {
      return .decided(deny(.invalidToken, route, bytes))
    }
    switch foreign.step(presented.withUnsafeBytes { Array($0) }, digest) {
    case .askOwn: return .decided(askOwn(presented, digest, for: route, bytes))
    case .vouched(let vouched):
      let token = VerifiedToken(vouched, digest: digest)
      engine.verification.insert(token)
      return .known(token)
    case .refused(let source):
      if let source { engine.verification.refuse(Inquiry(digest: digest, source: source), at: now) }
      return .decided(deny(.invalidToken, route, bytes))
    case .unavailable: return .decided(refuse(.verificationUnavailable, bytes))
    case .ask(let inquiry, let ask): return .decided(park(until: inquiry, for: route, bytes, asking: ask))
    }
  }

  private func askOwn(_ presented: Span<UInt8>, _ digest: Digest256, for route: LoopRoute, _ bytes: Span<UInt8>) -> Int {
    let inquiry = Inquiry(digest: digest, source: .own)
    guard !engine.verification.isRefused(inquiry, at: engine.wallNow) else { return deny(.invalidToken, route, bytes) }
    let engine = engine
    let token = presented.withUnsafeBytes { Array($0) }
    return park(until: inquiry, for: route, bytes) { () async throws(StoreFailure) in
      let facts = try await engine.verifier.verify(token)
      return facts.map { VouchedToken(own: $0, presented: token, at: engine.wallNow) }
    }
  }

  func park(
    until inquiry: Inquiry, for route: LoopRoute, _ bytes: Span<UInt8>,
    asking ask: @escaping @Sendable () async throws(StoreFailure) -> VouchedToken?
  ) -> Int {
    guard let ticket = park() else { return refuse(.verificationUnavailable, bytes) }
    let engine = engine
    let mustStart = engine.cache(of: inquiry).wait(for: inquiry) { [self] outcome in
      switch outcome {
      case .verified(let token): resume(ticket) { $0.take(token) }
      case .refused:
        resume(ticket) { exchange in
          // Whoever has no session is not denied but asked to sign in; the cache knows that long enough.
          guard inquiry.source != .session else { return }
          exchange.failure = .accessDenied(.invalidToken, route.route.access)
        }
      case .unavailable: resume(ticket) { $0.failure = .verificationUnavailable }
      }
    }
    guard let mustStart else { return refuse(.overloaded, bytes) }
    if mustStart {
      engine.loop.task {
        await engine.cache(of: inquiry).run(inquiry, clock: { engine.wallNow }, asking: ask)
      }
    }
    return 0
  }
}
