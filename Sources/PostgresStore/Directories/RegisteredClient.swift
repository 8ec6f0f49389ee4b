import Cryptography
import OAuthCore

/// A client as the database has it.
public struct RegisteredClient: Sendable {
  /// With the secrets that were live when it was read, the newest first.
  public var client: Client
  public var createdAt: Timestamp
  /// When the first of those secrets ends; nil when none has an end.
  public var secretExpiresAt: Timestamp?

  public init(client: Client, createdAt: Timestamp, secretExpiresAt: Timestamp? = nil) {
    self.client = client
    self.createdAt = createdAt
    self.secretExpiresAt = secretExpiresAt
  }
}

/// Reads registered clients, many at a time.
public protocol ClientSource: Sendable {
  /// Those of `ids` that exist, in any order.
  func clients(_ ids: [ClientID], at now: Timestamp) async throws(StoreFailure) -> [RegisteredClient]
}

extension SecretVerifier {
  /// As it stands in the column `client_secret.verifier`.
  var columnText: String {
    switch self {
    case .sha256(let digest): Self.digestPrefix + digest.bytes.hexadecimal
    case .scrypt(let text): text
    }
  }

  init?(columnText: String) {
    if columnText.hasPrefix(Self.digestPrefix) {
      guard let bytes = [UInt8](hexadecimal: columnText.dropFirst(Self.digestPrefix.count)),
        let digest = Digest256(bytes: bytes)
      else { return nil }
      self = .sha256(digest)
    } else if columnText.hasPrefix("$scrypt$") {
      self = .scrypt(columnText)
    } else {
      return nil
    }
  }

  private static let digestPrefix = "sha256:"
}

extension [UInt8] {
  var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  init?(hexadecimal text: some StringProtocol) {
    let digits = text.utf8.map { digit -> UInt8? in
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
      default: nil
      }
    }
    guard digits.count.isMultiple(of: 2) else { return nil }
    self = []
    for position in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[position], let low = digits[position + 1] else { return nil }
      append(high << 4 | low)
    }
  }
}
