import OAuthCore
import Synchronization

/// One published document for the whole process: fetched when somebody needs it, once however many do.
///
/// While there is one, whoever asks is answered at once; only a fetch is waited for. The fetch is nobody's own: who asked
/// may be gone by the time it ends.
public final class SharedDocument<Document: Sendable>: Sendable {
  public typealias Failure = IssuerDocuments.Failure
  public typealias Answer = FetchSchedule<Document>.Answer

  /// How a fetch ended.
  public enum Ending: Sendable {
    /// - Parameter old: what was known before.
    case fetched(Document, replacing: Document?)
    /// The first of several failures in a row.
    case failed(Failure)
  }

  private struct State {
    var schedule = FetchSchedule<Document>()
    var waiters: [CheckedContinuation<Void, Never>] = []
    var isFailing = false
  }

  private let fetch: @Sendable () async throws(Failure) -> Fetched<Document>
  private let ended: @Sendable (Ending) -> Void
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  private let state = Mutex(State())

  /// - Parameters:
  ///   - executor: where it is fetched, such as a loop; nil: the default executor.
  ///   - ended: told before anybody goes on.
  public init(
    clock: any WallClock, executor: (any TaskExecutor)?,
    fetch: @escaping @Sendable () async throws(Failure) -> Fetched<Document>,
    ended: @escaping @Sendable (Ending) -> Void = { _ in }
  ) {
    self.clock = clock
    self.executor = executor
    self.fetch = fetch
    self.ended = ended
  }

  public var isFailing: Bool { state.withLock { $0.isFailing } }

  /// Answers at once, and begins a fetch when it is time for one.
  public func ask() -> Answer {
    let now = clock.now
    let (answer, mustFetch) = state.withLock { $0.schedule.ask(at: now) }
    if mustFetch { begin() }
    return answer
  }

  /// - Returns: nil when the document is as new as a token with an unknown key can make it.
  public func askForUnknownKey() -> Answer? {
    let now = clock.now
    guard let (answer, mustFetch) = state.withLock({ $0.schedule.askForUnknownKey(at: now) }) else { return nil }
    if mustFetch { begin() }
    return answer
  }

  /// The document, waiting for it where it has to be fetched.
  ///
  /// - Returns: nil: it cannot be had.
  public func current() async -> Fetched<Document>? {
    for _ in 0..<2 {
      switch ask() {
      case .use(let fetched): return fetched
      case .unavailable: return nil
      case .wait: await fetchEnded()
      }
    }
    return nil
  }

  /// Returns when no fetch is under way.
  public func fetchEnded() async {
    await withCheckedContinuation { continuation in
      let mustWait = state.withLock { state in
        if state.schedule.isFetching { state.waiters.append(continuation) }
        return state.schedule.isFetching
      }
      if !mustWait { continuation.resume() }
    }
  }

  private func begin() { Task(executorPreference: executor) { [self] in await run() } }

  private func run() async {
    do throws(Failure) {
      let fetched = try await fetch()
      let old = state.withLock { state in
        state.isFailing = false
        let old = state.schedule.fetched?.document
        state.schedule.end(with: fetched)
        return old
      }
      ended(.fetched(fetched.document, replacing: old))
    } catch {
      let isNew = state.withLock { state in
        state.schedule.fail(at: clock.now)
        defer { state.isFailing = true }
        return !state.isFailing
      }
      if isNew { ended(.failed(error)) }
    }
    let waiting = state.withLock { state in
      defer { state.waiters = [] }
      return state.waiters
    }
    for continuation in waiting { continuation.resume() }
  }
}
