import Synchronization

/// Counts failures in memory: each subject may fail `burst` times at once and once more every `interval` after that.
///
/// A leaking bucket per subject, kept as the moment at which it will have run empty. Waiting always helps: there is no
/// permanent lock-out, and attempts that are turned away add nothing. One network fills slower than an account allows,
/// so a single source cannot lock anybody out.
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

  private struct Counters {
    // Two generations bound the memory: when the younger is full it becomes the older, and the older is forgotten.
    var young: [AttemptSubject: Timestamp] = [:]
    var old: [AttemptSubject: Timestamp] = [:]

    func emptyAt(_ subject: AttemptSubject) -> Timestamp? { young[subject] ?? old[subject] }
  }

  private let perAccount: Allowance
  private let perNetwork: Allowance
  private let counters = Mutex(Counters())

  public init(
    perAccount: Allowance = Allowance(burst: 20, every: .seconds(15)),
    perNetwork: Allowance = Allowance(burst: 10, every: .seconds(20))
  ) {
    self.perAccount = perAccount
    self.perNetwork = perNetwork
  }

  public func wait(_ subjects: [AttemptSubject], at now: Timestamp) -> Int? {
    counters.withLock { wait(subjects, at: now, counters: $0) }
  }

  public func settle(_ subjects: [AttemptSubject], succeeded: Bool, at now: Timestamp) -> Int? {
    counters.withLock { counters in
      if let seconds = wait(subjects, at: now, counters: counters) { return seconds }
      guard !succeeded else { return nil }
      for subject in subjects {
        let emptyAt = max(counters.emptyAt(subject) ?? now, now) + allowance(subject).interval
        if counters.young.count >= Self.subjectCountMax, counters.young[subject] == nil {
          counters.old = counters.young
          counters.young = [:]
        }
        counters.young[subject] = emptyAt
      }
      return nil
    }
  }

  private func wait(_ subjects: [AttemptSubject], at now: Timestamp, counters: Counters) -> Int? {
    if counters.young.isEmpty && counters.old.isEmpty { return nil }
    var seconds: Int?
    for subject in subjects {
      guard let emptyAt = counters.emptyAt(subject) else { continue }
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
