import OAuthCore

/// Tells what a presented token stands for.
public protocol TokenVerifier: Sendable {
  /// Asks whatever has to be asked; the caller remembers the answer.
  ///
  /// - Parameter token: as presented, without the scheme.
  /// - Returns: nil when the token is unknown, expired, revoked or no token at all.
  func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts?

  /// Asks again about a token whose facts are known, but not the token itself, which nobody keeps: for exchanges that go on
  /// after something about it has changed.
  ///
  /// - Returns: the facts as they are now; nil when the token, its family, client or account was ended. That it has
  ///   expired meanwhile is no reason.
  func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts?
}

extension AccessTokenVerifier: TokenVerifier {}
