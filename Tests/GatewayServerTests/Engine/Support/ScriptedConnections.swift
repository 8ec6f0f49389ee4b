import Broker
import Cryptography
import OAuthCore
import PosternTesting
import Synchronization

@testable import GatewayServer

/// The connections that a test makes, by subject.
final class ScriptedConnections: ConnectionSource {
  struct State {
    var answers: [String: Result<LiveCredential, BrokerFailure>] = [:]
    /// What comes of a refusal.
    var successors: [Result<LiveCredential, BrokerFailure>] = []
    var asked: [String] = []
    var owners: [Locator: Subject] = [:]
    var ownerAskedCount = 0
    /// Generations that upstreams have refused.
    var refused: [Int64] = []
  }
  let state = Mutex(State())
  /// What passes it are refusals.
  let gate = Turnstile()

  /// - Parameter heedsRefusal: whether it may be replaced when the upstream refuses it.
  static func live(_ token: String, generation: Int64 = 1, heedsRefusal: Bool = true) -> LiveCredential {
    let forever = Timestamp(seconds: 3_900_000_000)
    return LiveCredential(
      fieldValue: Secret("Bearer \(token)"), expiresAt: Timestamp(seconds: 4_000_000_000), renewAt: forever,
      generation: generation, heedsRefusalFrom: heedsRefusal ? Timestamp(microseconds: .min) : forever)
  }

  func set(_ subject: String, _ token: String) {
    state.withLock { $0.answers[subject] = .success(Self.live(token)) }
  }

  func credential(
    for provider: ProviderID, of subject: Subject, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential {
    let answer = state.withLock { state in
      state.asked.append(subject.rawValue)
      if let generation {
        state.refused.append(generation)
        if !state.successors.isEmpty { state.answers[subject.rawValue] = state.successors.removeFirst() }
      }
      return state.answers[subject.rawValue]
    }
    if generation != nil { await gate.pass() }
    guard let answer else { throw .notConnected }
    return try answer.get()
  }

  func owner(of connection: Locator, at provider: ProviderID) async throws(BrokerFailure) -> Subject? {
    state.withLock { state in
      state.ownerAskedCount += 1
      return state.owners[connection]
    }
  }

  func connectURL(for provider: ProviderID) -> String { "https://auth.example.com/connect/\(provider)" }
}
