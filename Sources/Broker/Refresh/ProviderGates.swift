import Cryptography
import OAuthCore
import Synchronization

/// The gates of all providers, for the whole process.
final class ProviderGates: Sendable {
  private let gates = Mutex<[ProviderID: ProviderGate]>([:])
  private let clock: any WallClock
  private let random: any RandomSource
  private let observer: any BrokerObserver
  private let limits: BrokerLimits

  init(clock: any WallClock, random: any RandomSource, observer: any BrokerObserver, limits: BrokerLimits) {
    self.clock = clock
    self.random = random
    self.observer = observer
    self.limits = limits
  }

  func isOpen(_ provider: ProviderID) -> Bool {
    let now = clock.now
    return gates.withLock { $0[provider]?.failure(at: now) == nil }
  }

  /// Asks to ask the provider.
  ///
  /// - Returns: nil: the caller may; if the gate was closed before, alone.
  func enter(_ provider: ProviderID) -> BrokerFailure? {
    let now = clock.now
    return gates.withLock { gates in
      if let failure = gates[provider]?.failure(at: now) { return failure }
      gates[provider]?.probe(until: now + limits.lease)
      return nil
    }
  }

  /// - Parameter failure: nil: the provider knows us.
  func note(_ failure: TokenEndpointFailure?, of key: ConnectionKey) {
    let now = clock.now
    let jitter = random.jitter()
    let change = gates.withLock { gates in
      var gate = gates[key.provider] ?? ProviderGate()
      let change = gate.note(failure, of: key.provider, limits: limits, jitter: jitter, at: now)
      gates[key.provider] = gate.isIdle ? nil : gate
      return change
    }
    switch change {
    case .incidentBegan: observer.observe(.incidentBegan, of: key)
    case .incidentEnded: observer.observe(.incidentEnded, of: key)
    case nil: break
    }
  }

  /// Those of changed providers open: what was wrong may have been put right.
  func forget(_ isChanged: (ProviderID) -> Bool) {
    gates.withLock { gates in gates = gates.filter { !isChanged($0.key) } }
  }

  var incidents: [ProviderIncident] { gates.withLock { $0.values.compactMap(\.incident) } }

  /// What other instances have learned.
  func hear(_ incidents: [ProviderIncident], ended: [ProviderID]) {
    gates.withLock { gates in
      for provider in ended { gates[provider] = nil }
      for incident in incidents { gates[incident.provider, default: ProviderGate()].hear(incident) }
    }
  }
}
