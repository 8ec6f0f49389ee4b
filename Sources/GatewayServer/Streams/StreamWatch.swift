import Broker
import Cryptography
import EventLoop
import OAuthCore

/// Ends the exchanges of one loop whose token or connection ends while they are under way.
///
/// Nothing is registered: exchanges hold their token's facts anyway, and a change, which is rare, walks over them all. What
/// a change ends outright is cut at once. What it only puts in doubt (a client, an account or a connection was changed, or
/// the feed lost the thread) is confirmed by the store first, once per token or connection however many exchanges rest on
/// it, and goes on meanwhile.
final class StreamWatch: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`, and its task runs on that loop only.

  /// What exchanges rest on.
  enum Claim: Hashable {
    case token(Digest256)
    /// A browser's, by its cookie.
    case session(Digest256)
    case connection(ProviderID, Subject)
  }

  private struct Doubt {
    /// Of the token or session; nil for a connection.
    let facts: TokenFacts?
    /// When it arose, in the loop's nanoseconds.
    let since: Int64
    /// How often: an answer that a new doubt overtook is asked for again.
    var count = 1
  }

  private enum Answer: Sendable {
    /// With the facts as they are now, of a token.
    case holds(TokenFacts?)
    case ended
    case unknown
  }

  /// Claims that are confirmed at the same time.
  private static let concurrency = 64
  /// Between two rounds of questions that the store did not answer.
  private static let pause: Duration = .seconds(1)

  private let engine: Engine
  private let verifier: any TokenVerifier
  private let connections: any ConnectionSource
  private let patience: Int64
  private var doubts: [Claim: Doubt] = [:]
  private var isConfirming = false

  init(_ engine: Engine, verifier: any TokenVerifier, connections: any ConnectionSource, patience: Duration) {
    self.engine = engine
    self.verifier = verifier
    self.connections = connections
    self.patience = patience.nanoseconds
  }

  // MARK: Changes

  func apply(_ changes: [Change]) {
    engine.loop.assertInLoop()
    let changes = StreamChanges(changes)
    for client in engine.clients.reversed() {
      guard let token = watched(client) else { continue }
      switch changes.effect(on: token) {
      case .none: break
      case .doubt: doubt(token)
      case .end:
        end(client)
        continue
      }
      if let claim = connection(of: client, token), changes.concern(claim) { doubt(claim, facts: nil) }
    }
    confirm()
  }

  /// What was missed cannot be told.
  func doubtEverything() {
    engine.loop.assertInLoop()
    for client in engine.clients {
      guard let token = watched(client) else { continue }
      // Nothing that Postern's instances tell each other is about a token of somebody else.
      if !token.isForeign { doubt(token) }
      if let claim = connection(of: client, token) { doubt(claim, facts: nil) }
    }
    confirm()
  }

  /// The token of an exchange that a revocation ends.
  private func watched(_ client: ClientConnection) -> VerifiedToken? {
    guard let token = client.tokenUnderWay, client.exchange.route?.route.streams.endsOnRevocation == true else { return nil }
    return token
  }

  private func connection(of client: ClientConnection, _ token: VerifiedToken) -> Claim? {
    guard case .connections(let connections)? = client.exchange.route?.credential else { return nil }
    return .connection(connections.provider, token.facts.subject)
  }

  private func end(_ client: ClientConnection) {
    engine.count { $0.revokedStreams += 1 }
    client.cut(.revoked)
  }

  // MARK: Doubts

  private func doubt(_ token: VerifiedToken) { doubt(claim(of: token), facts: token.facts) }

  private func claim(of token: VerifiedToken) -> Claim { token.isSession ? .session(token.digest) : .token(token.digest) }

  private func doubt(_ claim: Claim, facts: TokenFacts?) {
    if doubts[claim] == nil {
      doubts[claim] = Doubt(facts: facts, since: engine.loop.now)
    } else {
      doubts[claim]?.count += 1
    }
  }

  private func confirm() {
    guard !isConfirming, !doubts.isEmpty else { return }
    isConfirming = true
    engine.loop.task { await self.confirmAll() }
  }

  private func confirmAll() async {
    while !doubts.isEmpty {
      let round = Array(doubts)
      var isAnswered = true
      for start in stride(from: 0, to: round.count, by: Self.concurrency) {
        let batch = round[start..<min(start + Self.concurrency, round.count)]
        let answers = await answers(to: batch.map { ($0.key, $0.value.facts) })
        if !settle(answers, asked: batch) { isAnswered = false }
      }
      if !isAnswered { await engine.loop.sleep(for: Self.pause) }
    }
    isConfirming = false
  }

  private func answers(to questions: [(Claim, TokenFacts?)]) async -> [Claim: Answer] {
    await withTaskGroup(of: (Claim, Answer).self) { group in
      for (claim, facts) in questions {
        group.addTask { (claim, await self.answer(claim, facts)) }
      }
      var answers: [Claim: Answer] = [:]
      for await (claim, answer) in group { answers[claim] = answer }
      return answers
    }
  }

  private func answer(_ claim: Claim, _ facts: TokenFacts?) async -> Answer {
    switch claim {
    case .token: return await answer(facts, by: verifier)
    case .session: return await answer(facts, by: engine.sessionAccess?.verifier)
    case .connection(let provider, let subject):
      do throws(BrokerFailure) {
        _ = try await connections.credential(for: provider, of: subject, refused: nil)
        return .holds(nil)
      } catch {
        if case .unavailable = error { return .unknown }
        return .ended
      }
    }
  }

  private func answer(_ facts: TokenFacts?, by verifier: (any TokenVerifier)?) async -> Answer {
    guard let facts, let verifier else { return .ended }
    do throws(StoreFailure) {
      guard let now = try await verifier.confirm(facts) else { return .ended }
      return .holds(now)
    } catch {
      return .unknown
    }
  }

  /// - Returns: false when some answer is still outstanding.
  private func settle(_ answers: [Claim: Answer], asked: ArraySlice<(key: Claim, value: Doubt)>) -> Bool {
    var settled: [Claim: Answer] = [:]
    var isAnswered = true
    for (claim, doubt) in asked {
      guard var answer = answers[claim], doubts[claim]?.count == doubt.count else { continue }
      if case .unknown = answer {
        guard engine.loop.now - doubt.since >= patience else {
          isAnswered = false
          continue
        }
        answer = .ended
      }
      doubts[claim] = nil
      settled[claim] = answer
    }
    guard !settled.isEmpty else { return isAnswered }
    for client in engine.clients.reversed() {
      guard let token = watched(client) else { continue }
      if isEnded(client, token, by: settled) { end(client) }
    }
    return isAnswered
  }

  private func isEnded(_ client: ClientConnection, _ token: VerifiedToken, by settled: [Claim: Answer]) -> Bool {
    switch settled[claim(of: token)] {
    case .ended: return true
    // What a session is good for stands in its route.
    case .holds where token.isSession: break
    case .holds(let facts?):
      // The client may have lost a scope. Expiry has a grace of its own and is not asked for here.
      let access = client.exchange.route?.route.access
      if access?.decide(facts.authorization, expiresAt: Timestamp(microseconds: .max), at: Timestamp(microseconds: 0)) != .allow { return true }
    case .holds, .unknown, nil: break
    }
    guard let claim = connection(of: client, token), case .ended? = settled[claim] else { return false }
    return true
  }
}

/// Changes, asked about many tokens.
private struct StreamChanges {
  enum Effect { case none, doubt, end }

  /// Up to here comparing is cheaper than hashing everything a token rests on.
  private static let listCountMax = 4

  private let all: [Change]
  private let set: Set<Change>

  init(_ changes: [Change]) {
    all = changes
    set = changes.count > Self.listCountMax ? Set(changes) : []
  }

  func effect(on token: VerifiedToken) -> Effect {
    var effect = Effect.none
    for change in token.changes where contains(change) {
      if change.isRevocation { return .end }
      effect = .doubt
    }
    return effect
  }

  func concern(_ claim: StreamWatch.Claim) -> Bool {
    guard case .connection(let provider, let subject) = claim else { return false }
    return contains(.connectionChanged(provider: provider.rawValue, subject))
  }

  private func contains(_ change: Change) -> Bool { set.isEmpty ? all.contains(change) : set.contains(change) }
}

extension Change {
  /// Whether it leaves no doubt.
  fileprivate var isRevocation: Bool {
    switch self {
    case .accessTokenRevoked, .familyRevoked, .sessionEnded, .foreignKeyWithdrawn: true
    case .clientChanged, .accountChanged, .signingKeysChanged, .credentialChanged, .connectionChanged: false
    }
  }
}
