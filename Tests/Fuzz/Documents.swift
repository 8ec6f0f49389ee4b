@testable import Cryptography
import JSON

/// What issuers, clients and providers publish or send.
enum Documents {
  /// JSON that is read is written, and read as the same again; keys, tokens and certificates in it end the process never.
  static func disagreement(_ bytes: [UInt8]) -> String? {
    _ = try? JWKSet(parsing: bytes)
    _ = try? CompactJWS(bytes).header
    _ = Certificate(der: bytes)
    guard let json = try? JSON(parsing: bytes) else { return nil }
    guard let again = try? JSON(parsing: json.bytes) else { return "cannot be read again: \(json.bytes)" }
    return again == json ? nil : "\(again) is not \(json)"
  }
}
