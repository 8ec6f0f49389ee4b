import EventLoop
import OAuthCore
import ReverseProxy

/// The assertions of one route as one loop holds them, one for each subject, signed anew when half of their life is over.
///
/// Bounded: at `capacity` all are forgotten; signing one takes some ten microseconds.
final class LoopAssertions: @unchecked Sendable {
  // SAFETY: confined to its loop; used by requests' decisions only.

  private struct Entry {
    let line: [UInt8]
    let renewAt: Timestamp
  }

  private let rule: SignedAssertionRule
  private let assertions: IdentityAssertions
  private let capacity: Int
  private let prefix: [UInt8]
  private var entries: [Subject: Entry] = [:]

  init(_ rule: SignedAssertionRule, assertions: IdentityAssertions, capacity: Int) {
    self.rule = rule
    self.assertions = assertions
    self.capacity = max(1, capacity)
    let scheme = rule.fieldName.lowercased() == "authorization" ? "Bearer " : ""
    prefix = Array("\(rule.fieldName): \(scheme)".utf8)
  }

  /// The whole field line.
  @inline(__always)
  func line(for subject: Subject, at now: Timestamp) -> [UInt8] {
    if let entry = entries[subject], now < entry.renewAt { return entry.line }
    return sign(for: subject, at: now)
  }

  private func sign(for subject: Subject, at now: Timestamp) -> [UInt8] {
    if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
    let assertion = assertions.assertion(of: subject, for: rule.audience, issuedAt: now, lifetime: rule.lifetime)
    let line = prefix + assertion.exposedBytes + Array("\r\n".utf8)
    entries[subject] = Entry(line: line, renewAt: now + rule.lifetime / 2)
    return line
  }
}
