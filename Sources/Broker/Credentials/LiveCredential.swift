import Cryptography
import OAuthCore

/// An upstream credential that may be sent now.
public struct LiveCredential: Sendable, Equatable {
  /// The whole value of the `Authorization` field, such as `Bearer …`.
  public var fieldValue: Secret
  /// Not to be sent from here on.
  public var expiresAt: Timestamp
  /// From here on a successor is wanted; whoever caches the credential asks again.
  public var renewAt: Timestamp
  /// Names this credential among those of its connection.
  public var generation: Int64

  public init(fieldValue: Secret, expiresAt: Timestamp, renewAt: Timestamp, generation: Int64) {
    self.fieldValue = fieldValue
    self.expiresAt = expiresAt
    self.renewAt = renewAt
    self.generation = generation
  }
}
