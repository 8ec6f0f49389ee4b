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

  /// Asks to ask the provider; to be followed by `leave`.
  ///
  /// - Returns: nil: the caller may; if the gate was closed before, alone.
  func enter(_ provider: ProviderID, by renewal: ProviderGate.Renewal) -> BrokerFailure? {
    let now = clock.now
    return gates.withLock { $0[provider]?.enter(renewal, at: now, probeEnd: now + limits.lease) }
  }

  /// The renewal has ended, whether or not it asked.
  func leave(_ provider: ProviderID, by renewal: ProviderGate.Renewal) {
    let now = clock.now
    gates.withLock { $0[provider]?.leave(renewal, at: now) }
  }

  /// - Parameter failure: nil: the provider knows us.
  func note(_ failure: TokenEndpointFailure?, of key: ConnectionKey) {
    let now = clock.now
    let jitter = random.jitter()
    let change = gates.withLock {
      $0[key.provider, default: ProviderGate()].note(failure, of: key.provider, limits: limits, jitter: jitter, at: now)
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

  func isOver(_ incident: ProviderIncident) -> Bool {
    gates.withLock { $0[incident.provider]?.isOver(incident) ?? false }
  }

  /// What other instances have learned.
  ///
  /// - Parameter ended: of those that this one has met; one that has changed since goes on.
  func hear(_ incidents: [ProviderIncident], ended: [ProviderIncident]) {
    gates.withLock { gates in
      for incident in ended where gates[incident.provider]?.incident == incident { gates[incident.provider] = nil }
      for incident in incidents { gates[incident.provider, default: ProviderGate()].hear(incident) }
    }
  }
}
