import Cryptography
import OAuthCore

/// Carries out what a `Refresh` wants: asks store and provider, waits, and tells it what came of that.
struct RefreshDriver: Sendable {
  let connection: ConnectionKey
  let provider: Provider
  let store: any ConnectionStore
  let channel: ProviderChannel
  /// nil: no provider takes them.
  let assertions: IdentityAssertions?
  let sealer: CredentialSealer
  let clock: any WallClock
  let sleeper: any Sleeper
  let observer: any BrokerObserver
  let limits: BrokerLimits
  /// Asked before each wait for another instance.
  let isEnding: @Sendable () -> Bool
  /// Asked before the provider is; nil: it may be.
  let turnsAway: @Sendable () -> BrokerFailure?

  /// - Parameters:
  ///   - generation: what is no longer wanted; nil: any that is live will do.
  ///   - isRefused: whether an upstream would not take it.
  func run(replacing generation: Int64?, isRefused: Bool) async -> Refresh.Outcome {
    var refresh = Refresh(
      provider.refreshGrant, replacing: generation, isRefused: isRefused, limits: limits, at: clock.now)
    var action = Refresh.Action.read
    while true {
      if case .finish(let outcome) = action { return outcome }
      let event = await perform(action)
      guard let next = refresh.handle(event, at: clock.now) else { preconditionFailure("an action has its own events") }
      action = next
    }
  }

  private func perform(_ action: Refresh.Action) async -> Refresh.Event {
    do throws(StoreFailure) {
      switch action {
      case .read: return .read(try await find())
      case .takeLease(let generation):
        // Found before the lease, which is for the call alone.
        guard await channel.directory.endpoints(of: provider) != nil else {
          return .turnedAway(.unavailable(retryAfter: limits.transientPauseMin))
        }
        if let failure = turnsAway() { return .turnedAway(failure) }
        return .leased(try await store.takeLease(on: connection, generation: generation, for: limits.lease))
      case .sleep(let duration):
        if isEnding() { return .interrupted }
        await sleeper.sleep(for: duration)
        return .slept
      case .ask(let replaced): return await ask(replacing: replaced)
      case .reread:
        let found = try await find()
        return .reread(found, kept: try await store.keptCredentials(of: connection).compactMap(open))
      case .finish: preconditionFailure("nothing follows the end")
      }
    } catch {
      observer.observe(.storeUnavailable, of: connection)
      return .storeFailed
    }
  }

  private func ask(replacing replaced: CredentialRecord?) async -> Refresh.Event {
    let sentAt = clock.now
    do throws(TokenEndpointFailure) {
      let grant = try await grant(presenting: replaced?.refreshToken, at: sentAt)
      let request = TokenRequest(provider: provider, grant: grant, deadline: limits.providerDeadline)
      let token = try await request.send(over: channel)
      observer.observe(.obtained, of: connection)
      return .answered(CredentialRecord(token, to: request, sentAt: sentAt, replacing: replaced))
    } catch {
      return .failed(error)
    }
  }

  private func grant(
    presenting refreshToken: Secret?, at now: Timestamp
  ) async throws(TokenEndpointFailure) -> TokenRequest.Grant {
    if let refreshToken { return .refreshToken(refreshToken) }
    guard provider.grant != .clientCredentials else { return .clientCredentials }
    guard let endpoint = await channel.directory.endpoints(of: provider)?.token.description else {
      throw .transient(.undiscovered, retryAfter: nil)
    }
    let identifier = Base64URL.encode(channel.random.bytes(16))
    switch (provider.grant, connection.owner) {
    case (.jwtBearer(let account), _):
      return .jwtBearer(assertion: account.assertion(for: endpoint, issuedAt: now, identifier: identifier))
    case (.tokenExchange, .exchanged(let subject)):
      guard let assertions else { preconditionFailure("a provider is told who subjects are, and nobody signs") }
      let assertion = assertions.assertion(
        of: subject, for: provider.issuer ?? endpoint, issuedAt: now, lifetime: ClientAssertion.lifetime,
        identifier: identifier)
      return .tokenExchange(subjectToken: assertion)
    case (.tokenExchange, _), (.clientCredentials, _): preconditionFailure("nobody owns a credential of this kind")
    }
  }

  // MARK: What the store holds

  private func find() async throws(StoreFailure) -> Refresh.Found {
    let found = try await store.connection(connection)
    guard !connection.isRepeatable else {
      guard let stored = found?.credential, let record = readable(stored) else {
        return .nothing(generation: found?.credential?.generation ?? 0)
      }
      return .credential(record, generation: stored.generation)
    }
    guard let found, let stored = found.credential, found.state != .revoked else { return .ended(.notConnected) }
    if case .needsReauthentication(let reason) = found.state { return .ended(.needsReauthentication(reason)) }
    guard let record = readable(stored) else { return .ended(.notConnected) }
    return .credential(record, generation: stored.generation)
  }

  /// nil: it does not open, or was asked for with another configuration.
  private func readable(_ stored: StoredCredential) -> CredentialRecord? {
    guard let record = sealer.open(stored, of: connection) else {
      observer.observe(.unreadable(generation: stored.generation), of: connection)
      return nil
    }
    return record.fingerprint == provider.fingerprint ? record : nil
  }

  private func open(_ kept: KeptCredential) -> Refresh.Kept? {
    sealer.open(kept.credential, of: connection).map { Refresh.Kept(record: $0, wasPresented: kept.wasPresented) }
  }
}

extension Provider {
  var refreshGrant: Refresh.Grant {
    authorization.map { .refreshToken($0.rotation) } ?? .repeatable
  }

  /// Of the tokens that are kept for it: those with another are of no use.
  var fingerprint: String {
    let nothing = Secret(bytes: [])
    let presented: TokenRequest.Grant =
      switch grant {
      case _ where authorization != nil: .refreshToken(nothing)
      case .clientCredentials: .clientCredentials
      case .jwtBearer: .jwtBearer(assertion: nothing)
      case .tokenExchange: .tokenExchange(subjectToken: nothing)
      }
    return TokenRequest(provider: self, grant: presented, deadline: .zero).fingerprint
  }
}
