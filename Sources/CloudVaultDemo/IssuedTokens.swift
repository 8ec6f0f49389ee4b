import Cryptography
import OAuthCore

/// The bearer tokens of the demo: they carry their own expiry under a MAC, so that a restart of the demo, which Postern
/// need not notice, leaves them valid.
struct IssuedTokens: Sendable {
  let lifetime: Duration
  /// Nobody but CloudVault has it.
  let key: Secret
  let clock: any WallClock
  let random: any RandomSource

  private static let prefix = "cv_"
  /// 8 bytes of expiry and 16 of randomness, before the MAC of 32.
  private static let contentByteCount = 24

  func issue() -> Secret {
    let expiry = (clock.now + lifetime).microseconds.bigEndian
    let content = withUnsafeBytes(of: expiry) { Array($0) } + random.bytes(Self.contentByteCount - 8)
    return Secret(Self.prefix + Base64URL.encode(content + mac(content).bytes))
  }

  func isLive(_ token: String) -> Bool {
    guard token.hasPrefix(Self.prefix), let bytes = Base64URL.decode(String(token.dropFirst(Self.prefix.count))),
      bytes.count == Self.contentByteCount + 32
    else { return false }
    let content = Array(bytes[..<Self.contentByteCount])
    guard mac(content) == Digest256(bytes: bytes[Self.contentByteCount...]) else { return false }
    let expiry = content[..<8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    return clock.now < Timestamp(microseconds: expiry)
  }

  private func mac(_ content: [UInt8]) -> Digest256 { HMACSHA256.authenticate(content, key: key) }
}
