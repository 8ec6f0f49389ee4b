import Cryptography

/// Proof Key for Code Exchange, `S256` only. Source: RFC 7636; RFC 9700 §2.1.1.
public enum ProofKey {
  /// BASE64URL(SHA256(ASCII(code_verifier))), decoded. Source: RFC 7636 §4.2.
  public struct Challenge: Sendable, Equatable {
    let digest: Digest256

    /// - Parameter text: 43 characters of base64url; nil for anything else.
    public init?(_ text: String) {
      guard text.utf8.count == 43, let digest = Base64URL.decode(text).flatMap({ Digest256(bytes: $0) }) else {
        return nil
      }
      self.digest = digest
    }

    init(digest: Digest256) { self.digest = digest }
  }

  /// Whether the verifier is the one that the challenge was made of; compared in constant time.
  public static func verify(_ verifier: Secret, _ challenge: Challenge) -> Bool {
    SHA256.digest(verifier) == challenge.digest
  }

  /// `code-verifier = 43*128unreserved`. Source: RFC 7636 §4.1.
  public static func isVerifier(_ text: String) -> Bool {
    (43...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: true
        default: false
        }
      }
  }
}
