import COpenSSL

/// SHA-256. Source: FIPS 180-4 §6.2.
public enum SHA256 {
  public static func digest(_ bytes: [UInt8]) -> Digest256 {
    bytes.withUnsafeBytes { digest($0) }
  }

  public static func digest(_ bytes: Span<UInt8>) -> Digest256 {
    bytes.withUnsafeBytes { digest($0) }
  }

  public static func digest(_ secret: Secret) -> Digest256 {
    secret.withUnsafeBytes { digest($0) }
  }

  public static func digest(_ text: String) -> Digest256 {
    var text = text
    return text.withUTF8 { digest(UnsafeRawBufferPointer($0)) }
  }

  /// One shot, without allocation.
  public static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest256 {
    var result = Digest256()
    let context = ThreadContext.current.pointee.digest
    require(EVP_DigestInit_ex2(context, Algorithms.sha256, nil), "EVP_DigestInit_ex2")
    require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count), "EVP_DigestUpdate")
    // SAFETY: SHA-256 writes exactly the 32 bytes that `words` has.
    withUnsafeMutableBytes(of: &result.words) { output in
      require(EVP_DigestFinal_ex(context, output.bindMemory(to: UInt8.self).baseAddress, nil), "EVP_DigestFinal_ex")
    }
    return result
  }
}
