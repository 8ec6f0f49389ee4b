import Synchronization

/// Counts failures in memory: each subject may fail `burst` times at once and once more every `interval` after that.
///
/// A leaking bucket per subject, kept as the moment at which it will have run empty. Waiting always helps: there is no
/// permanent lock-out, and attempts that are turned away add nothing. One network fills slower than an account allows,
/// so a single source cannot lock anybody out.
///
/// Strangers in many networks can fill an account's bucket. It does not count for a network that the account's secret came
/// from before; what guesses there fills the bucket of that network alone. The idea is that of device cookies, with the
/// network in the cookie's place, which clients have too.
///
/// Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.
public final class FailureLimiter: AttemptLimiter {
  public struct Allowance: Sendable {
    /// Failures that may follow each other at once.
    public var burst: Int
    /// How long until another failure is forgiven.
    public var interval: Duration

    public init(burst: Int, every interval: Duration) {
      precondition(burst > 0 && interval > .zero, "an allowance lets something through")
      self.burst = burst
      self.interval = interval
    }
  }

  /// Subjects remembered in each of the two generations. 100 bytes each, so a few megabytes under attack.
  public static let subjectCountMax = 16_384
  /// Pairs of owner and network remembered in each of the two generations; only right secrets add to them.
  public static let trustCountMax = 16_384

  private struct State {
    var emptyAt = Generations<AttemptSubject, Timestamp>(countMax: FailureLimiter.subjectCountMax)
    var trusted = Generations<Attempt, Void>(countMax: FailureLimiter.trustCountMax)
  }

  private let perAccount: Allowance
  private let perNetwork: Allowance
  private let state = Mutex(State())

  public init(
    perAccount: Allowance = Allowance(burst: 20, every: .seconds(15)),
    perNetwork: Allowance = Allowance(burst: 10, every: .seconds(20))
  ) {
    self.perAccount = perAccount
    self.perNetwork = perNetwork
  }

  public func wait(_ attempt: Attempt, at now: Timestamp) -> Int? {
    state.withLock { wait(subjects(of: attempt, $0), at: now, $0) }
  }

  public func begin(_ attempt: Attempt, at now: Timestamp) -> Admission {
    state.withLock { state in
      let subjects = subjects(of: attempt, state)
      if let seconds = wait(subjects, at: now, state) { return .limited(retryAfter: seconds) }
      for subject in subjects {
        state.emptyAt[subject] = max(state.emptyAt[subject] ?? now, now) + allowance(subject).interval
      }
      return .admitted(Reservation(attempt, counted: subjects))
    }
  }

  public func settle(_ reservation: Reservation, _ outcome: AttemptOutcome) {
    guard outcome != .wrong else { return }
    state.withLock { state in
      for subject in reservation.counted {
        // Forgotten meanwhile: nothing is left to give back.
        guard let emptyAt = state.emptyAt[subject] else { continue }
        state.emptyAt[subject] = emptyAt - allowance(subject).interval
      }
      if outcome == .right { state.trusted[reservation.attempt] = () }
    }
  }

  public func succeeded(_ attempt: Attempt) { state.withLock { $0.trusted[attempt] = () } }

  // MARK: Under the lock

  private func subjects(of attempt: Attempt, _ state: borrowing State) -> [AttemptSubject] {
    state.trusted[attempt] == nil ? [attempt.owner, attempt.network] : [attempt.network]
  }

  private func wait(_ subjects: [AttemptSubject], at now: Timestamp, _ state: borrowing State) -> Int? {
    var seconds: Int?
    for subject in subjects {
      guard let emptyAt = state.emptyAt[subject] else { continue }
      let allowance = allowance(subject)
      // The bucket has room for one more failure once it holds at most burst - 1 of them.
      let roomAt = emptyAt - allowance.interval * (allowance.burst - 1)
      if roomAt > now {
        let wait = Int((roomAt.microseconds - now.microseconds + 999_999) / 1_000_000)
        seconds = max(seconds ?? 0, wait)
      }
    }
    return seconds
  }

  private func allowance(_ subject: AttemptSubject) -> Allowance {
    if case .network = subject { perNetwork } else { perAccount }
  }
}

/// A dictionary of bounded size: when the younger generation is full it becomes the older, and the older is forgotten.
private struct Generations<Key: Hashable, Value> {
  private let countMax: Int
  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]

  init(countMax: Int) { self.countMax = countMax }

  subscript(key: Key) -> Value? {
    get { young[key] ?? old[key] }
    set {
      if young.count >= countMax, young[key] == nil {
        old = young
        young = [:]
      }
      young[key] = newValue
    }
  }
}
