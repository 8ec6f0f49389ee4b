import COpenSSL

/// HMAC with SHA-256. Source: RFC 2104; vectors of RFC 4231.
public enum HMACSHA256 {
  public static func authenticate(_ message: [UInt8], key: Secret) -> Digest256 {
    message.withUnsafeBytes { authenticate($0, key: key) }
  }

  public static func authenticate(_ message: UnsafeRawBufferPointer, key: Secret) -> Digest256 {
    precondition(key.count > 0, "an HMAC key has at least one byte")
    var result = Digest256()
    let context = ThreadContext.current.pointee.hmac
    key.withUnsafeBytes { key in
      require(EVP_MAC_init(context, key.bindMemory(to: UInt8.self).baseAddress, key.count, nil), "EVP_MAC_init")
    }
    let bytes = message.bindMemory(to: UInt8.self)
    require(EVP_MAC_update(context, bytes.baseAddress, bytes.count), "EVP_MAC_update")
    // SAFETY: HMAC-SHA256 writes exactly the 32 bytes that `words` has.
    withUnsafeMutableBytes(of: &result.words) { output in
      var written = 0
      let status = EVP_MAC_final(context, output.bindMemory(to: UInt8.self).baseAddress, &written, output.count)
      require(status, "EVP_MAC_final")
    }
    return result
  }
}
