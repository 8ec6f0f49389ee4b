import Cryptography
import OAuthCore

/// One sentence that every implementation of a port obeys, and the check of it.
///
/// The suites of laws are arrays, for parameterised tests:
///
/// ```swift
/// @Test("TokenStore", arguments: TokenStoreLaws.all)
/// func tokens(_ law: Law<any TokenStore>) async throws { try await law.check(MyTokenStore()) }
/// ```
///
/// Laws share nothing: they may run in any order, or at once, on one store.
public struct Law<Port: Sendable>: Sendable, CustomStringConvertible {
  public let sentence: String
  public let check: @Sendable (Port) async throws -> Void

  init(_ sentence: String, _ check: @escaping @Sendable (Port) async throws -> Void) {
    self.sentence = sentence
    self.check = check
  }

  public var description: String { sentence }
}

/// A law does not hold.
public struct LawBroken: Error, CustomStringConvertible {
  public let description: String
}

/// - Parameter claim: what should be so.
func require(_ isSo: Bool, _ claim: @autoclosure () -> String) throws(LawBroken) {
  guard isSo else { throw LawBroken(description: "this should be so: \(claim())") }
}

func require<Value>(_ value: Value?, _ claim: @autoclosure () -> String) throws(LawBroken) -> Value {
  guard let value else { throw LawBroken(description: "this should be so: \(claim())") }
  return value
}

/// Names and digests that no other specimen has.
enum Specimen {
  static let now = Timestamp(seconds: 1_750_000_000)

  static func locator(at moment: Timestamp = now) -> Locator {
    Locator(createdAt: moment, randomness: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
  }

  static func digest() -> Digest256 {
    guard let digest = Digest256(bytes: (0..<32).map { _ in UInt8.random(in: 0 ... .max) }) else {
      preconditionFailure("a digest has 32 bytes")
    }
    return digest
  }

  static func name(_ prefix: String) -> String { "\(prefix)-\(UInt64.random(in: 0 ... .max))" }
}
