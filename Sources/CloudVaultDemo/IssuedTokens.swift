import Cryptography
import OAuthCore

/// The tokens of the demo: they carry their own expiry and owner under a MAC, so that a restart of the demo, which Postern
/// need not notice, leaves them valid.
struct IssuedTokens: Sendable {
  let lifetime: Duration
  /// Nobody but CloudVault has it.
  let key: Secret
  let clock: any WallClock
  let random: any RandomSource

  enum Kind: String {
    case access = "cv_"
    case refresh = "cvr_"
  }

  /// How long a user stays connected.
  static let refreshLifetime = Duration.seconds(30 * 86_400)
  /// 8 bytes of expiry and 16 of randomness, before the owner and the MAC of 32.
  private static let headByteCount = 24
  private static let macByteCount = 32

  /// - Parameter owner: whose photos; empty: the client's own.
  func issue(_ kind: Kind = .access, owner: String = "") -> Secret {
    let expiry = (clock.now + (kind == .access ? lifetime : Self.refreshLifetime)).microseconds.bigEndian
    let content = withUnsafeBytes(of: expiry) { Array($0) } + random.bytes(Self.headByteCount - 8) + Array(owner.utf8)
    return Secret(kind.rawValue + Base64URL.encode(content + mac(content, kind).bytes))
  }

  /// - Returns: whose token it is; nil: it is none, or no longer.
  func owner(of token: String, _ kind: Kind = .access) -> String? {
    guard token.hasPrefix(kind.rawValue), let bytes = Base64URL.decode(String(token.dropFirst(kind.rawValue.utf8.count))),
      bytes.count >= Self.headByteCount + Self.macByteCount
    else { return nil }
    let content = Array(bytes.dropLast(Self.macByteCount))
    guard mac(content, kind) == Digest256(bytes: bytes.suffix(Self.macByteCount)) else { return nil }
    let expiry = content[..<8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    guard clock.now < Timestamp(microseconds: expiry) else { return nil }
    return String(decoding: content[Self.headByteCount...], as: UTF8.self)
  }

  private func mac(_ content: [UInt8], _ kind: Kind) -> Digest256 {
    HMACSHA256.authenticate(Array(kind.rawValue.utf8) + content, key: key)
  }
}
