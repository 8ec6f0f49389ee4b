import Cryptography
import OAuthCore

/// An upstream credential that may be sent now.
public struct LiveCredential: Sendable, Equatable {
  /// The whole value of the `Authorization` field, such as `Bearer …`.
  public var fieldValue: Secret
  /// Not to be sent from here on.
  public var expiresAt: Timestamp
  /// The end that the provider named, to which the clocks and the way to the upstream leave a little.
  public var endsAt: Timestamp
  /// From here on a successor is wanted; whoever caches the credential asks again.
  public var renewAt: Timestamp
  /// Names this credential among those of its connection.
  public var generation: Int64
  /// From here on an upstream that refuses the credential gets another one; until then it would only refuse that, too.
  public var heedsRefusalFrom: Timestamp

  public init(
    fieldValue: Secret, expiresAt: Timestamp, renewAt: Timestamp, generation: Int64,
    heedsRefusalFrom: Timestamp = Timestamp(microseconds: .min), endsAt: Timestamp? = nil
  ) {
    self.fieldValue = fieldValue
    self.expiresAt = expiresAt
    self.endsAt = endsAt ?? expiresAt
    self.renewAt = renewAt
    self.generation = generation
    self.heedsRefusalFrom = heedsRefusalFrom
  }

  static let scheme = Array("Bearer ".utf8)

  /// The token itself.
  var accessToken: Secret { Secret(bytes: Array(fieldValue.exposedBytes.dropFirst(Self.scheme.count))) }

  /// - Parameter generation: what the upstream has refused.
  /// - Returns: whether something else comes of it: this is a later one, or may be replaced.
  public func heedsRefusal(of generation: Int64, at now: Timestamp) -> Bool {
    self.generation > generation || now >= heedsRefusalFrom
  }
}
