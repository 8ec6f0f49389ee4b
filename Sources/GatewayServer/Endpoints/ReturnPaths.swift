import Cryptography
import OAuthCore

extension KeyPurpose {
  fileprivate static let returnPath: KeyPurpose = "return-path"
}

/// The way back to a page that somebody had to sign in for.
///
/// The page's path and query travel sealed, so that a link to the sign-in page leads nowhere that the gateway has not
/// been asked for. What is opened is held against the same rule as what is sealed: a place on this very origin.
public struct ReturnPaths: Sendable {
  /// People who find the sign-in page in an old tab sign in all the same, and begin at their account.
  static let lifetime: Duration = .seconds(3600)

  private let ring: KeyRing

  public init(ring: KeyRing) { self.ring = ring }

  /// - Parameter target: path and query, as the request line had them.
  /// - Returns: nil when that is no place on this origin, or too long for an address.
  func seal(_ target: String, at now: Timestamp) -> String? {
    guard Self.isLocal(target) else { return nil }
    let expiresAt = now + Self.lifetime
    let bytes = withUnsafeBytes(of: expiresAt.microseconds.bigEndian) { Array($0) } + Array(target.utf8)
    let sealed = Base64URL.encode(ring.seal(bytes, purpose: .returnPath, associatedData: []))
    return sealed.utf8.count <= AuthorizationFlow.addressByteCountMax ? sealed : nil
  }

  /// nil unless this server sealed the text within the last `lifetime`.
  func open(_ text: String, at now: Timestamp) -> String? {
    guard text.utf8.count <= AuthorizationFlow.addressByteCountMax, let sealed = Base64URL.decode(text),
      let bytes = ring.open(sealed, purpose: .returnPath, associatedData: []), bytes.count > 8
    else { return nil }
    let expiresAt = Timestamp(microseconds: bytes[..<8].reduce(0) { $0 << 8 | Int64($1) })
    let target = String(decoding: bytes[8...], as: UTF8.self)
    return now < expiresAt && Self.isLocal(target) ? target : nil
  }

  /// Whether browsers take it for a path of the origin they are at: `//host` and `/\host` are others.
  ///
  /// Source: WHATWG URL §4.4, relative state and relative slash state.
  static func isLocal(_ target: String) -> Bool {
    let bytes = Array(target.utf8)
    guard bytes.first == UInt8(ascii: "/"), bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return false }
    return bytes.count == 1 || bytes[1] != UInt8(ascii: "/") && bytes[1] != UInt8(ascii: "\\")
  }
}
