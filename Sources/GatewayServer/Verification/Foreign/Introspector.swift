import Broker
import Cryptography
import OAuthCore
import ReverseProxy
import Synchronization

/// Asks one foreign endpoint about tokens, for the whole process: once for each, however many requests carry it.
public final class Introspector: Sendable {
  /// What became of a question.
  enum Outcome: Sendable {
    case vouched(VouchedToken)
    case refused(ForeignRefusal)
    /// - Parameter reason: of the endpoint's silence, or that there are too many questions.
    case unavailable(String)
  }

  fileprivate struct State {
    var tokens: IntrospectedTokens
    var waiters: [Digest256: [CheckedContinuation<Outcome?, Never>]] = [:]
    var isFailing = false
  }

  private let service: IntrospectionService
  private let transport: any ProviderTransport
  private let clock: any WallClock
  private let report: ForeignSources.Report
  private let state: Mutex<State>

  init(
    _ service: IntrospectionService, transport: any ProviderTransport, clock: any WallClock,
    report: @escaping ForeignSources.Report
  ) {
    self.service = service
    self.transport = transport
    self.clock = clock
    self.report = report
    state = Mutex(State(tokens: IntrospectedTokens(service)))
  }

  /// - Returns: nil when the endpoint does not vouch for the token.
  func verify(_ token: [UInt8], _ digest: Digest256) async throws(StoreFailure) -> VouchedToken? {
    switch await outcome(of: token, digest) {
    case .vouched(let vouched): return vouched
    case .refused: return nil
    case .unavailable: throw .unavailable
    }
  }

  func outcome(of token: [UInt8], _ digest: Digest256) async -> Outcome {
    let now = clock.now
    // nil: nobody has asked yet, and nobody else will while this question is under way.
    let found = await withCheckedContinuation { (continuation: CheckedContinuation<Outcome?, Never>) in
      let answer = state.withLock { state in
        let answer = state.tokens.find(digest, at: now)
        if case .wait = answer { state.waiters[digest, default: []].append(continuation) }
        return answer
      }
      switch answer {
      case .wait: break
      case .ask: continuation.resume(returning: nil)
      case .vouched(let vouched): continuation.resume(returning: .vouched(vouched))
      case .overloaded: continuation.resume(returning: .unavailable("too many questions wait for an answer"))
      }
    }
    if let found { return found }
    return await ask(token, digest)
  }

  private func ask(_ token: [UInt8], _ digest: Digest256) async -> Outcome {
    let askedAt = clock.now
    let verdict: IntrospectionService.Verdict
    do throws(TransportFailure) {
      let response = try await transport.send(service.request(about: token))
      verdict = service.verdict(response, digest: digest, askedAt: askedAt)
    } catch {
      verdict = .noAnswer("\(error)")
    }
    let (outcome, waiting, mustReport) = state.withLock { state in
      state.end(verdict, digest, askedAt: askedAt, at: clock.now)
    }
    if mustReport, let reason = verdict.silence {
      report(.endpointSilent(endpoint: service.endpoint, reason: reason))
    }
    for continuation in waiting { continuation.resume(returning: outcome) }
    return outcome
  }
}

extension Introspector.State {
  /// - Returns: what came of the question, who waits for it, and whether this is the first of several failures.
  fileprivate mutating func end(
    _ verdict: IntrospectionService.Verdict, _ digest: Digest256, askedAt: Timestamp, at now: Timestamp
  ) -> (Introspector.Outcome, [CheckedContinuation<Introspector.Outcome?, Never>], mustReport: Bool) {
    let wasFailing = isFailing
    let outcome: Introspector.Outcome
    switch verdict {
    case .active(let vouched):
      tokens.note(digest, vouched, askedAt: askedAt)
      outcome = .vouched(vouched)
    case .refused(let refusal):
      tokens.note(digest, nil, askedAt: askedAt)
      outcome = .refused(refusal)
    case .noAnswer(let reason):
      outcome = tokens.fail(digest, at: now).map { .vouched($0) } ?? .unavailable(reason)
    }
    isFailing = verdict.silence != nil
    return (outcome, waiters.removeValue(forKey: digest) ?? [], isFailing && !wasFailing)
  }
}

extension IntrospectionService.Verdict {
  /// Why nothing was said.
  fileprivate var silence: String? { if case .noAnswer(let reason) = self { reason } else { nil } }
}
