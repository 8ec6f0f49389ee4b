import Cryptography
import OAuthCore
import Synchronization

/// What providers publish of themselves, for the whole process: endpoints and the keys of their ID tokens.
public final class ProviderDirectory: Sendable {
  private typealias Issuer = IssuerDocuments.Issuer

  private struct State {
    var metadata: [Issuer: SharedDocument<IssuerMetadata>] = [:]
    var keys: [Issuer: SharedDocument<VerificationKeySet>] = [:]
  }

  /// Issuers remembered; the configuration has far fewer, but may change often.
  private static let rememberedMax = 1024

  private let transport: any ProviderTransport
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  private let state = Mutex(State())

  /// - Parameter executor: where documents are fetched, such as a loop; nil: the default executor.
  public init(transport: any ProviderTransport, clock: any WallClock, executor: (any TaskExecutor)?) {
    self.transport = transport
    self.clock = clock
    self.executor = executor
  }

  /// - Returns: nil: the issuer's metadata cannot be had, or lacks what this provider needs.
  func endpoints(of provider: Provider) async -> ProviderEndpoints? {
    guard provider.isDiscovered, let issuer = provider.issuer else { return ProviderEndpoints(naming: provider) }
    let document = metadata(of: provider.documents(of: issuer, keySetURL: nil))
    guard let metadata = await document.current()?.document else { return nil }
    return try? ProviderEndpoints(metadata, of: provider)
  }

  /// Verifies an ID token's signature, with the keys fetched again where they do not know its key.
  ///
  /// - Returns: whether one of the keys at `url` has made it; nil: they cannot be had.
  func verifies(_ token: UnverifiedJWT, of provider: Provider, _ issuer: String, keysAt url: EndpointURL) async -> Bool? {
    let keys = keys(of: provider.documents(of: issuer, keySetURL: url))
    for _ in 0..<2 {
      guard let set = await keys.current()?.document else { return nil }
      do throws(JWSError) {
        _ = try token.verify(with: set)
        return true
      } catch .unknownKey {
        guard keys.askForUnknownKey() != nil else { return false }
        await keys.fetchEnded()
      } catch {
        return false
      }
    }
    return false
  }

  private func metadata(of issuer: Issuer) -> SharedDocument<IssuerMetadata> {
    state.withLock { state in
      if let known = state.metadata[issuer] { return known }
      if state.metadata.count >= Self.rememberedMax { state.metadata = [:] }
      let documents = IssuerDocuments(issuer, transport: transport, clock: clock)
      let made = SharedDocument(clock: clock, executor: executor) { () async throws(IssuerDocuments.Failure) in
        try await documents.metadata()
      }
      state.metadata[issuer] = made
      return made
    }
  }

  private func keys(of issuer: Issuer) -> SharedDocument<VerificationKeySet> {
    state.withLock { state in
      if let known = state.keys[issuer] { return known }
      if state.keys.count >= Self.rememberedMax { state.keys = [:] }
      let documents = IssuerDocuments(issuer, transport: transport, clock: clock)
      let made = SharedDocument(clock: clock, executor: executor) { () async throws(IssuerDocuments.Failure) in
        try await documents.keys()
      }
      state.keys[issuer] = made
      return made
    }
  }
}

extension Provider {
  fileprivate func documents(of issuer: String, keySetURL: EndpointURL?) -> IssuerDocuments.Issuer {
    IssuerDocuments.Issuer(
      identifier: issuer, keySetURL: keySetURL, allowHTTP: allowHTTP, allowPrivateAddresses: allowPrivateAddresses)
  }
}
