import Broker
import EventLoop
import OAuthCore

/// Where routes get the credentials that users have connected.
public protocol ConnectionSource: Sendable {
  /// A credential of the subject that may be sent now, refreshed if need be.
  ///
  /// - Parameter generation: what the upstream has refused: a later one is wanted, and comes unless there is none.
  func credential(
    for provider: ProviderID, of subject: Subject, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential
  /// nil: there is no such connection at the provider.
  func owner(of connection: Locator, at provider: ProviderID) async throws(BrokerFailure) -> Subject?
  /// Where a browser goes to connect an account at the provider.
  func connectURL(for provider: ProviderID) -> String
}

extension ConnectionSource {
  public func owner(of connection: Locator, at provider: ProviderID) async throws(BrokerFailure) -> Subject? { nil }
}

/// For a gateway whose users connect nothing.
public struct NoConnections: ConnectionSource {
  public init() {}
  public func credential(
    for provider: ProviderID, of subject: Subject, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential {
    throw .unknownProvider
  }
  public func connectURL(for provider: ProviderID) -> String { "" }
}

/// What one loop holds of the credentials that users have connected at one provider.
///
/// Bounded: when half of `capacity` has been used since the last time, everything that was not used since then makes room.
final class LoopConnections: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`, or is inside a request's decision.

  private struct Source: CredentialSource {
    let connections: any ConnectionSource
    let subject: Subject

    func credential(for provider: ProviderID, refused generation: Int64?) async throws(BrokerFailure) -> LiveCredential {
      try await connections.credential(for: provider, of: subject, refused: generation)
    }
  }

  /// What `GatewayError.connectionRequired` names.
  let connectURL: String
  let provider: ProviderID
  /// Whose connection alone is used; nil: each subject's own.
  let owner: ConnectionOwner?
  let id: Locator?
  private let source: any ConnectionSource
  private let loop: EventLoop
  private let generationMax: Int
  private var recent: [Subject: ProviderCredential] = [:]
  private var previous: [Subject: ProviderCredential] = [:]

  /// - Parameter id: of the one connection that is used; nil: each subject's own is.
  init(_ provider: ProviderID, id: Locator? = nil, source: any ConnectionSource, loop: EventLoop, capacity: Int) {
    self.provider = provider
    self.id = id
    owner = id.map { ConnectionOwner(provider, id: $0, source: source, loop: loop) }
    self.source = source
    self.loop = loop
    connectURL = source.connectURL(for: provider)
    generationMax = max(1, capacity / 2)
  }

  var count: Int { recent.count + previous.count }

  @inline(__always)
  func credential(of subject: Subject) -> ProviderCredential { recent[subject] ?? promote(subject) }

  private func promote(_ subject: Subject) -> ProviderCredential {
    let credential = previous.removeValue(forKey: subject)
      ?? ProviderCredential(provider, source: Source(connections: source, subject: subject), loop: loop)
    if recent.count >= generationMax {
      previous = recent
      recent = [:]
    }
    recent[subject] = credential
    return credential
  }

  /// The connection changed: the next request gets what it is now.
  func invalidate(_ subject: Subject) {
    loop.assertInLoop()
    recent.removeValue(forKey: subject)?.invalidate()
    previous.removeValue(forKey: subject)?.invalidate()
  }

  func invalidateAll() {
    loop.assertInLoop()
    for credential in recent.values { credential.invalidate() }
    for credential in previous.values { credential.invalidate() }
    recent = [:]
    previous = [:]
  }
}
