import COpenSSL

/// Between JOSE's ECDSA signatures, r ‖ s in as many bytes each as the curve's order has, and libcrypto's, which are DER.
///
/// Source: RFC 7518 §3.4; RFC 3279 §2.2.3.
enum ECDSASignature {
  /// Of P-256.
  static let byteCount = 64

  /// - Parameter der: on P-256.
  static func raw(der: [UInt8]) -> [UInt8] {
    // SAFETY: libcrypto reads at most `der.count` bytes.
    let signature = der.withUnsafeBufferPointer { der in
      var start = der.baseAddress
      return d2i_ECDSA_SIG(nil, &start, der.count)
    }
    let parsed = required(signature)
    defer { ECDSA_SIG_free(parsed) }
    var raw = [UInt8](repeating: 0, count: byteCount)
    // SAFETY: each number is written to its own half of the 64 bytes.
    raw.withUnsafeMutableBufferPointer { raw in
      let rCount = BN_bn2binpad(ECDSA_SIG_get0_r(parsed), raw.baseAddress, 32)
      let sCount = BN_bn2binpad(ECDSA_SIG_get0_s(parsed), raw.baseAddress! + 32, 32)
      precondition(rCount == 32 && sCount == 32, "a P-256 signature has two numbers of at most 32 bytes")
    }
    return raw
  }

  /// nil unless there are exactly two numbers; whether they are a signature is for the verification to say.
  ///
  /// - Parameter numberByteCount: 32 on P-256, 48 on P-384.
  static func der(raw: [UInt8], numberByteCount: Int = 32) -> [UInt8]? {
    guard raw.count == 2 * numberByteCount else { return nil }
    let signature = required(ECDSA_SIG_new())
    defer { ECDSA_SIG_free(signature) }
    // SAFETY: each number is read from its own half.
    raw.withUnsafeBufferPointer { raw in
      let r = required(BN_bin2bn(raw.baseAddress, Int32(numberByteCount), nil))
      let s = required(BN_bin2bn(raw.baseAddress! + numberByteCount, Int32(numberByteCount), nil))
      require(ECDSA_SIG_set0(signature, r, s), "ECDSA_SIG_set0")
    }
    let count = Int(i2d_ECDSA_SIG(signature, nil))
    precondition(count > 0, "libcrypto failed in i2d_ECDSA_SIG: out of memory")
    var der = [UInt8](repeating: 0, count: count)
    // SAFETY: libcrypto writes the `count` bytes that it announced.
    der.withUnsafeMutableBufferPointer { der in
      var start = der.baseAddress
      i2d_ECDSA_SIG(signature, &start)
    }
    return der
  }
}
