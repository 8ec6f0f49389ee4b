import COpenSSL

/// SHA-1, for protocols that name it and rest no security on it, such as the handshake of RFC 6455. Source: FIPS 180-4 §6.1.
public enum SHA1 {
  /// - Returns: 20 bytes; nil where the installation does not serve it (a FIPS provider).
  public static func digest(_ bytes: [UInt8]) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: 20)
    var count = 0
    defer { ERR_clear_error() }
    // SAFETY: SHA-1 writes exactly the 20 bytes that `output` has.
    guard EVP_Q_digest(nil, "SHA1", nil, bytes, bytes.count, &output, &count) == 1, count == output.count else { return nil }
    return output
  }
}
