/// What failed attempts to prove a secret are counted against.
public enum AttemptSubject: Sendable, Hashable {
  case client(ClientID)
  case account(String)
  /// The network a request came from: an IPv4 address, or the /64 of an IPv6 address.
  case network(String)

  /// - Parameter address: an address literal.
  public static func source(_ address: String) -> AttemptSubject { .network(sourceNetwork(of: address)) }
}

/// An attempt to prove a secret, counted against whose secret it is and against where it comes from.
public struct Attempt: Sendable, Hashable {
  public let owner: AttemptSubject
  public let network: AttemptSubject

  /// - Parameters:
  ///   - owner: a client or an account.
  ///   - address: an address literal.
  public init(of owner: AttemptSubject, from address: String) {
    self.owner = owner
    network = .source(address)
  }
}

/// Slows down guessing. A limited attempt gets the same answer whether the secret was right or wrong.
public protocol AttemptLimiter: Sendable {
  /// Asked before a secret is looked at that costs nothing to compare; counts nothing.
  ///
  /// - Returns: seconds to wait, when there were too many failures; nil: go on.
  func wait(_ attempt: Attempt, at now: Timestamp) -> Int?

  /// Asked before costly work begins: counts the attempt as failed until it is settled, so that of many at once no more
  /// are worked on than may fail. One that is never settled stays a failure, and is forgiven like one.
  func begin(_ attempt: Attempt, at now: Timestamp) -> Admission

  /// Told how the work ended. Unless the secret was wrong, what `begin` counted is given back.
  func settle(_ reservation: Reservation, _ outcome: AttemptOutcome)

  /// Told of a secret that was right.
  func succeeded(_ attempt: Attempt)
}

public enum Admission: Sendable {
  case admitted(Reservation)
  /// Seconds to wait.
  case limited(retryAfter: Int)
}

/// What an attempt that was admitted has been counted against.
public struct Reservation: Sendable {
  public let attempt: Attempt
  public let counted: [AttemptSubject]

  public init(_ attempt: Attempt, counted: [AttemptSubject]) {
    self.attempt = attempt
    self.counted = counted
  }
}

public enum AttemptOutcome: Sendable {
  case right, wrong
  /// Nobody could look at the secret.
  case unjudged
}

/// What is told of an attempt.
enum Judgement {
  case right, wrong
  /// Seconds to wait.
  case limited(retryAfter: Int)
}

extension AttemptLimiter {
  /// Judges a secret within the limit.
  ///
  /// - Parameter isRight: looks at the secret; not called when the attempt is limited.
  func judge(
    _ attempt: Attempt, at now: Timestamp, _ isRight: () async throws(StoreFailure) -> Bool
  ) async throws(StoreFailure) -> Judgement {
    switch begin(attempt, at: now) {
    case .limited(let seconds): return .limited(retryAfter: seconds)
    case .admitted(let reservation):
      do {
        let isRight = try await isRight()
        settle(reservation, isRight ? .right : .wrong)
        return isRight ? .right : .wrong
      } catch {
        settle(reservation, .unjudged)
        throw error
      }
    }
  }
}

/// One IPv6 subscriber has at least a whole /64 to send from, so that is what is counted. Source: RFC 4291 §2.5.1.
func sourceNetwork(of address: String) -> String {
  guard address.utf8.contains(UInt8(ascii: ":")) else { return address }
  let halves = address.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
  let leading = halves[0].split(separator: ":")
  guard halves.count == 2 else { return leading.prefix(4).joined(separator: ":") + "::/64" }
  if leading.isEmpty, halves[1].utf8.contains(UInt8(ascii: ".")) {
    return String(halves[1].split(separator: ":").last ?? halves[1])
  }
  let trailing = halves[1].split(separator: ":")
  let zeros = max(0, 8 - leading.count - trailing.count)
  let groups = leading.map(String.init) + Array(repeating: "0", count: zeros) + trailing.map(String.init)
  return groups.prefix(4).joined(separator: ":") + "::/64"
}
