import Cryptography

/// Where the parts of a handle stand, and the way to read them without allocating.
public enum HandleLayout {
  /// The letters of a `HandleKind`.
  static let kindByteCount = 3
  static let prefixByteCount = kindByteCount + 1
  static let locatorByteCount = 16
  static let secretByteCount = 32
  static let tagByteCount = 8
  /// Locator and secret.
  static let bodyByteCount = locatorByteCount + secretByteCount
  static let payloadByteCount = bodyByteCount + tagByteCount
  /// Where the secret stands in a payload.
  static let secretRange = locatorByteCount..<bodyByteCount
  /// The only length a handle has, prefix included. Bytes.
  public static let textByteCount = prefixByteCount + (payloadByteCount * 4 + 2) / 3

  /// Reads the locator and digests the secret, for a look-up in a cache: no allocation, and the tag is not looked at.
  ///
  /// A hit needs no tag, since the digest is compared with that of a token that was found in the store. A miss must ask
  /// `HandleMint.verifyTag` before the store is.
  ///
  /// - Parameter text: the whole handle.
  /// - Returns: nil for anything that is not the canonical spelling of a handle of this kind.
  public static func locatorAndHash(_ text: UnsafeRawBufferPointer, _ kind: HandleKind) -> (Locator, Digest256)? {
    withPayload(text, kind) { payload in
      (locator(in: payload), SHA256.digest(UnsafeRawBufferPointer(rebasing: payload[secretRange])))
    }
  }

  static func withPayload<Result>(
    _ text: UnsafeRawBufferPointer, _ kind: HandleKind, _ body: (UnsafeRawBufferPointer) -> Result?
  ) -> Result? {
    guard text.count == textByteCount, hasPrefix(text, kind) else { return nil }
    return withUnsafeTemporaryAllocation(byteCount: payloadByteCount, alignment: 8) { payload in
      let encoded = UnsafeRawBufferPointer(rebasing: text[prefixByteCount...])
      guard Base64URL.decode(encoded, into: payload) == payloadByteCount else { return nil }
      return body(UnsafeRawBufferPointer(payload))
    }
  }

  static func locator(in payload: UnsafeRawBufferPointer) -> Locator {
    // SAFETY: the payload has 56 bytes; both reads stay inside and need no alignment.
    Locator(
      high: UInt64(bigEndian: payload.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      low: UInt64(bigEndian: payload.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  private static func hasPrefix(_ text: UnsafeRawBufferPointer, _ kind: HandleKind) -> Bool {
    var index = 0
    for byte in kind.rawValue.utf8 {
      if text[index] != byte { return false }
      index += 1
    }
    return text[index] == UInt8(ascii: "_")
  }
}
