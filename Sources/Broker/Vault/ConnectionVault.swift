import Cryptography
import OAuthCore

/// The tokens of connections, for the clients that may have them as they are.
///
/// Nothing is released of a provider that does not say so. Source: RFC 8693 §2.2.
public struct ConnectionVault: TokenVault {
  private let credentials: LiveCredentials
  private let released: Set<ProviderID>
  private let issuer: String

  /// - Parameter issuer: where users connect.
  public init(credentials: LiveCredentials, providers: [Provider], issuer: String) {
    self.credentials = credentials
    released = Set(providers.filter { $0.release == .tokenExchange && $0.authorization != nil }.map(\.id))
    self.issuer = issuer
  }

  public func release(
    _ audience: String, to client: ClientID, for subject: Subject
  ) async throws(OAuthError) -> VaultToken {
    let provider = ProviderID(audience)
    // The same for one that is not released and one that is not there.
    guard released.contains(provider) else { throw .notReleased }
    do throws(BrokerFailure) {
      let credential = try await credentials.credential(for: provider, of: .subject(subject))
      return VaultToken(accessToken: credential.accessToken, expiresAt: credential.endsAt)
    } catch {
      switch error {
      case .unavailable(let pause), .refused(_, let pause):
        throw OAuthError(
          .temporarilyUnavailable, "the provider does not help just now",
          retryAfter: max(1, Int(pause.components.seconds)))
      case .notConnected, .needsReauthentication:
        throw OAuthError(.invalidGrant, "the user has to connect an account first: \(issuer)/connect/\(provider)")
      case .unknownProvider: throw .notReleased
      }
    }
  }
}

extension OAuthError {
  fileprivate static let notReleased = OAuthError(.invalidTarget, "no tokens are given for this audience")
}
