/// What failed attempts to prove a secret are counted against.
public enum AttemptSubject: Sendable, Hashable {
  case client(ClientID)
  case account(String)
  /// The network a request came from: an IPv4 address, or the /64 of an IPv6 address.
  case network(String)

  /// - Parameter address: an address literal.
  public static func source(_ address: String) -> AttemptSubject { .network(sourceNetwork(of: address)) }
}

/// Slows down guessing. A limited attempt gets the same answer whether the secret was right or wrong.
public protocol AttemptLimiter: Sendable {
  /// Asked before the secret is looked at.
  ///
  /// - Returns: seconds to wait, when one of the subjects has failed too often; nil: go on.
  func wait(_ subjects: [AttemptSubject], at now: Timestamp) -> Int?

  /// Told how the attempt ended, before the caller is. Atomic, so that many attempts in flight at once learn no more
  /// than the limit allows.
  ///
  /// - Returns: seconds to wait, when the limit was reached meanwhile: the outcome must not be told. nil: it may.
  func settle(_ subjects: [AttemptSubject], succeeded: Bool, at now: Timestamp) -> Int?
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
