import Broker
import Cryptography
import EventLoop
import OAuthCore
import ReverseProxy
import Synchronization

/// The keys of one foreign issuer, for the whole process: fetched when somebody needs them, once however many do.
///
/// While there are keys, tokens are judged at once on the loop that asks; only a fetch is waited for. The fetch is nobody's
/// own: who asked may be gone by the time it ends.
public final class IssuerKeys: Sendable {
  /// How a judgement without waiting ends.
  enum Judgement: Sendable {
    case vouched(VouchedToken)
    case refused(ForeignRefusal)
    /// No keys can be had, or none that could tell.
    case unavailable
    /// A fetch is under way.
    case wait
  }

  private struct State {
    var keys = ForeignKeys()
    var waiters: [CheckedContinuation<Void, Never>] = []
    var isFailing = false
  }

  let issuer: ForeignIssuer
  private let fetcher: KeySetFetcher
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  private let changes: any ChangeObserver
  private let report: ForeignSources.Report
  private let state = Mutex(State())

  init(
    _ issuer: ForeignIssuer, transport: any ProviderTransport, clock: any WallClock, executor: (any TaskExecutor)?,
    changes: any ChangeObserver, report: @escaping ForeignSources.Report
  ) {
    self.issuer = issuer
    fetcher = KeySetFetcher(issuer: issuer, transport: transport)
    self.clock = clock
    self.executor = executor
    self.changes = changes
    self.report = report
  }

  /// Judges a token by the keys that are known, and begins a fetch when it is time for one.
  func judge(_ token: UnverifiedJWT, _ digest: Digest256) -> Judgement {
    let now = clock.now
    switch ask({ $0.ask(at: now) }) {
    case .unavailable?, nil: return .unavailable
    case .wait?: return .wait
    case .use(let fetched)?:
      do {
        return .vouched(try issuer.judge(token, digest: digest, with: fetched, at: now))
      } catch .signature(.unknownKey) {
        guard ask({ $0.askForUnknownKey(at: now) }) == nil else { return .wait }
        return state.withLock({ $0.isFailing }) ? .unavailable : .refused(.unknownKey)
      } catch {
        return .refused(error)
      }
    }
  }

  /// Fetches that one token may wait for: its issuer's keys, then a key that they lack.
  private static let waitCountMax = 3

  /// Judges a token, waiting for keys where they have to be fetched.
  ///
  /// - Returns: nil when the token is refused.
  func verify(_ token: UnverifiedJWT, _ digest: Digest256) async throws(StoreFailure) -> VouchedToken? {
    switch await judgement(of: token, digest) {
    case .vouched(let vouched): return vouched
    case .refused: return nil
    case .unavailable, .wait: throw .unavailable
    }
  }

  func judgement(of token: UnverifiedJWT, _ digest: Digest256) async -> Judgement {
    for _ in 0..<Self.waitCountMax {
      let judgement = judge(token, digest)
      guard case .wait = judgement else { return judgement }
      await fetchEnded()
    }
    return .unavailable
  }

  // MARK: Fetching

  private func ask(
    _ question: (inout ForeignKeys) -> (ForeignKeys.Answer, mustFetch: Bool)?
  ) -> ForeignKeys.Answer? {
    guard let (answer, mustFetch) = state.withLock({ question(&$0.keys) }) else { return nil }
    if mustFetch { Task(executorPreference: executor) { [self] in await fetch() } }
    return answer
  }

  private func fetchEnded() async {
    await withCheckedContinuation { continuation in
      let mustWait = state.withLock { state in
        if state.keys.isFetching { state.waiters.append(continuation) }
        return state.keys.isFetching
      }
      if !mustWait { continuation.resume() }
    }
  }

  private func fetch() async {
    do throws(KeySetFetcher.Failure) {
      let keys = try await fetcher.fetch(at: { [clock] in clock.now })
      let gone = state.withLock { state in
        state.isFailing = false
        return state.keys.end(with: keys)
      }
      // Before anybody goes on: what a withdrawn key vouched for is forgotten on every loop.
      if !gone.isEmpty { changes.apply(gone.map { .foreignKeyWithdrawn(issuer: issuer.identifier, key: $0) }) }
      report(.keysFetched(issuer: issuer.identifier, withdrawn: gone.count))
    } catch {
      let isNew = state.withLock { state in
        state.keys.fail(at: clock.now)
        defer { state.isFailing = true }
        return !state.isFailing
      }
      if isNew { report(.keysUnavailable(issuer: issuer.identifier, reason: "\(error)")) }
    }
    let waiting = state.withLock { state in
      defer { state.waiters = [] }
      return state.waiters
    }
    for continuation in waiting { continuation.resume() }
  }
}
