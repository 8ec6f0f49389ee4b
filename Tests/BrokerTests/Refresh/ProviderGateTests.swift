import OAuthCore
import Testing

@testable import Broker

@Suite("The gate of a provider")
struct ProviderGateTests {
  private static let now = Timestamp(seconds: 1_700_000_000)
  private var gate = ProviderGate()

  private mutating func note(_ failure: TokenEndpointFailure?, after seconds: Int64 = 0) -> ProviderGate.Change? {
    gate.note(failure, of: "cloudvault", limits: BrokerLimits(), jitter: 0, at: Self.now + .seconds(seconds))
  }

  private mutating func enter(_ renewal: Int, after seconds: Int64) -> BrokerFailure? {
    gate.enter(renewal, at: Self.now + .seconds(seconds), probeEnd: Self.now + .seconds(seconds + 25))
  }

  private func failure(after seconds: Int64) -> BrokerFailure? { gate.failure(at: Self.now + .seconds(seconds)) }

  @Test("RFC 6749 §5.2: invalid_client and unauthorized_client are said of Postern: an incident, until the provider answers anything else", arguments: [ProviderRefusal.invalidClient, .unauthorizedClient])
  mutating func incident(_ refusal: ProviderRefusal) {
    #expect(note(.refused(refusal)) == .incidentBegan)
    #expect(failure(after: 4) == .refused(refusal, retryAfter: .seconds(6)))
    #expect(failure(after: 10) == nil)
    // One asks; the others are turned away until it is known what came of that.
    #expect(enter(1, after: 10) == nil)
    #expect(enter(2, after: 11) == .refused(refusal, retryAfter: .seconds(24)))
    #expect(note(.refused(refusal), after: 12) == nil)
    #expect(gate.incident?.since == Self.now && gate.incident?.closedUntil == Self.now + .seconds(32))
    #expect(note(.transient(.status(503), retryAfter: nil), after: 40) == nil)
    #expect(gate.incident != nil && failure(after: 41) == .refused(refusal, retryAfter: .seconds(3)))
    #expect(note(nil, after: 50) == .incidentEnded)
    #expect(gate.incident == nil && failure(after: 50) == nil)
  }

  @Test("who asks alone is not turned away by itself, and if it asks nothing after all the next one may")
  mutating func probe() {
    _ = note(.refused(.invalidClient))
    #expect(enter(1, after: 10) == nil)
    #expect(enter(1, after: 12) == nil)
    gate.leave(2, at: Self.now + .seconds(13))
    #expect(enter(2, after: 13) != nil)
    gate.leave(1, at: Self.now + .seconds(14))
    #expect(enter(2, after: 14) == nil)
    #expect(enter(1, after: 15) != nil)
  }

  @Test("an open gate lets everybody in at once")
  mutating func open() {
    #expect(enter(1, after: 0) == nil)
    #expect(enter(2, after: 0) == nil)
  }

  @Test("a refusal of what was asked for tells that the provider knows us")
  mutating func knowsUs() {
    _ = note(.refused(.invalidClient))
    #expect(note(.refused(.invalidScope)) == .incidentEnded)
    #expect(failure(after: 0) == nil)
  }

  @Test("RFC 6585 §4: too many requests close it for as long as the provider asks, and are no incident")
  mutating func tooMany() {
    #expect(note(.transient(.status(429), retryAfter: .seconds(60))) == nil)
    #expect(gate.incident == nil)
    #expect(failure(after: 1) == .unavailable(retryAfter: .seconds(59)))
    #expect(failure(after: 60) == nil)
  }

  @Test("other trouble is a connection's own, and leaves it open")
  mutating func otherTrouble() {
    #expect(note(.transient(.transport(.timeout), retryAfter: nil)) == nil)
    #expect(failure(after: 0) == nil)
  }

  @Test("what another instance has met closes it, for no less than it is closed already")
  mutating func heard() {
    let incident = ProviderIncident(
      provider: "cloudvault", refusal: .invalidClient, since: Self.now, closedUntil: Self.now + .seconds(20))
    gate.hear(incident)
    #expect(failure(after: 0) == .refused(.invalidClient, retryAfter: .seconds(20)))
    #expect(gate.incident == nil)
    gate.hear(ProviderIncident(provider: "cloudvault", refusal: .invalidClient, since: Self.now, closedUntil: Self.now))
    #expect(failure(after: 19) != nil)
  }

  @Test("what another instance has met is over when the provider has dealt with this one since")
  mutating func over() {
    let incident = ProviderIncident(
      provider: "cloudvault", refusal: .invalidClient, since: Self.now, closedUntil: Self.now + .seconds(20))
    #expect(!gate.isOver(incident))
    _ = note(nil, after: -1)
    #expect(!gate.isOver(incident))
    _ = note(nil, after: 1)
    #expect(gate.isOver(incident))
  }
}
