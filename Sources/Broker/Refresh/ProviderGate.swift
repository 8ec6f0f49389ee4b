import OAuthCore

/// Whether a provider may be asked at all. Pure.
///
/// `open → closed` when it refuses Postern itself (an incident) or says that it has enough (429); `closed → probing` by the
/// first who asks after the pause, while others are still turned away; `probing → open` when it answers anything else, or
/// `closed` again, for longer; back to `closed`, with the pause over, when nothing was asked after all. Live tokens serve
/// throughout.
struct ProviderGate {
  enum Change: Equatable {
    case incidentBegan, incidentEnded
  }

  /// A renewal, by its number in this process.
  typealias Renewal = Int

  private var closure: (failure: BrokerFailure, until: Timestamp)?
  private var prober: Renewal?
  private var failureCount = 0
  /// nil: none that this process has met.
  private(set) var incident: ProviderIncident?
  /// When it last dealt with Postern as one of its clients.
  private var knewUsAt: Timestamp?

  /// nil: it may be asked.
  func failure(at now: Timestamp) -> BrokerFailure? {
    guard let closure, now < closure.until else { return nil }
    return closure.failure.retrying(after: closure.until - now)
  }

  /// Somebody is about to ask; the others wait for what comes of it, until `probeEnd` at most.
  ///
  /// - Returns: nil: it may be asked, as often as it takes.
  mutating func enter(_ renewal: Renewal, at now: Timestamp, probeEnd: Timestamp) -> BrokerFailure? {
    if prober == renewal { return nil }
    if let failure = failure(at: now) { return failure }
    guard closure != nil else { return nil }
    closure?.until = probeEnd
    prober = renewal
    return nil
  }

  /// Who entered is done; if nothing came of it, the next may try at once.
  mutating func leave(_ renewal: Renewal, at now: Timestamp) {
    guard prober == renewal else { return }
    prober = nil
    closure?.until = now
  }

  /// - Parameters:
  ///   - failure: nil: it has issued a token, or has told that a refresh token is no good; so it knows us.
  ///   - jitter: uniform in 0..<1.
  mutating func note(
    _ failure: TokenEndpointFailure?, of provider: ProviderID, limits: BrokerLimits, jitter: Double, at now: Timestamp
  ) -> Change? {
    switch failure {
    case .refused(let refusal)? where refusal.isOfClient:
      close(.refused(refusal, retryAfter: .zero), after: .refused(refusal), limits, jitter, at: now)
      let isNew = incident == nil
      incident = ProviderIncident(
        provider: provider, refusal: refusal, since: incident?.since ?? now, closedUntil: closure?.until ?? now)
      return isNew ? .incidentBegan : nil
    case .transient(.status(429), _)?:
      close(closure?.failure ?? .unavailable(retryAfter: .zero), after: failure, limits, jitter, at: now)
      return nil
    case .transient?:
      // Whatever it was closed for goes on.
      if let closure { close(closure.failure, after: failure, limits, jitter, at: now) }
      return nil
    case .refused?, nil:
      let isOver = incident != nil
      self = ProviderGate()
      knewUsAt = now
      return isOver ? .incidentEnded : nil
    }
  }

  private mutating func close(
    _ told: BrokerFailure, after failure: TokenEndpointFailure?, _ limits: BrokerLimits, _ jitter: Double, at now: Timestamp
  ) {
    failureCount += 1
    let pause = failure.map { limits.pause(after: $0, count: failureCount, jitter: jitter) } ?? .zero
    closure = (told, now + pause)
    prober = nil
  }

  /// Whether the provider has dealt with Postern since.
  func isOver(_ incident: ProviderIncident) -> Bool { knewUsAt.map { incident.since < $0 } ?? false }

  /// Another instance has met an incident.
  mutating func hear(_ heard: ProviderIncident) {
    guard closure.map({ $0.until < heard.closedUntil }) ?? true else { return }
    closure = (.refused(heard.refusal, retryAfter: .zero), heard.closedUntil)
  }
}

extension ProviderRefusal {
  /// Said of Postern as a client, whatever it presented. Source: RFC 6749 §5.2.
  fileprivate var isOfClient: Bool { self == .invalidClient || self == .unauthorizedClient }
}
