import Broker
import Cryptography
import EventLoop
import OAuthCore
import ReverseProxy

/// What one loop sends in place of callers' tokens: held once for all routes that send the same.
final class LoopCredentials {
  private let source: any CredentialSource
  private let connectionSource: any ConnectionSource
  private let assertions: IdentityAssertions?
  private let loop: EventLoop
  private let capacity: Int
  private var providers: [ProviderID: ProviderCredential] = [:]
  private var connections: [LoopConnections] = []

  /// - Parameter capacity: credentials of subjects, for each provider or rule.
  init(_ ports: Engine.Ports, loop: EventLoop, capacity: Int) {
    source = ports.credentials
    connectionSource = ports.connections
    assertions = ports.assertions
    self.loop = loop
    self.capacity = capacity
  }

  func credential(of route: Route) -> LoopCredential {
    switch route.credential {
    case .clientCredentials(let provider), .jwtBearer(let provider):
      let known = providers[provider] ?? ProviderCredential(provider, source: source, loop: loop)
      providers[provider] = known
      return .provider(known)
    case .connection(let provider), .tokenExchange(let provider): return .connections(connections(at: provider))
    case .ownedConnection(let provider, let id): return .connections(connections(at: provider, id))
    case .signedAssertion(let rule):
      guard let assertions else { preconditionFailure("route \(route.name) tells who asks, and nobody signs") }
      return .assertions(LoopAssertions(rule, assertions: assertions, capacity: capacity))
    case .none, .apiKey, .basic: break
    }
    guard let name = route.credential.fieldName, let value = route.credential.fixedValue else { return .none }
    return .fixed(Array(name.utf8) + Array(": ".utf8) + value.exposedBytes + Array("\r\n".utf8))
  }

  /// - Parameter id: of the only one; nil: each subject's own.
  private func connections(at provider: ProviderID, _ id: Locator? = nil) -> LoopConnections {
    if let known = connections.first(where: { $0.provider == provider && $0.id == id }) { return known }
    let new = LoopConnections(
      provider, id: id, source: connectionSource, loop: loop, capacity: capacity)
    connections.append(new)
    return new
  }

  // MARK: Changes

  func apply(_ changes: [Change]) {
    for change in changes {
      switch change {
      case .credentialChanged(let provider):
        providers[ProviderID(provider)]?.invalidate()
        for known in connections where known.provider.rawValue == provider { known.invalidateAll() }
      case .connectionChanged(let provider, let subject):
        for known in connections where known.provider.rawValue == provider { known.invalidate(subject) }
      default: break
      }
    }
  }

  func invalidateAll() {
    for credential in providers.values { credential.invalidate() }
    for credentials in connections { credentials.invalidateAll() }
  }
}
