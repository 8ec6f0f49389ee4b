import COpenSSL

/// Parameters for one libcrypto operation, as OpenSSL 3 wants them: a named, typed list with an end mark.
///
/// The list borrows the names, so they are `StaticString`; values are copied and live as long as the list.
/// Source: OpenSSL 3 OSSL_PARAM(3).
struct Parameters: ~Copyable {
  // SAFETY: a value stands in a block of its own, aligned for every type, that `deinit` frees; the list never outlives it.
  private var list: [OSSL_PARAM] = []
  private var storage: [UnsafeMutableRawBufferPointer] = []

  mutating func add(_ name: StaticString, octets: [UInt8]) {
    let copy = keep(octets)
    list.append(OSSL_PARAM_construct_octet_string(name.cString, copy.baseAddress, octets.count))
  }

  mutating func add(_ name: StaticString, text: StaticString) {
    // SAFETY: libcrypto reads the value and never writes it.
    list.append(OSSL_PARAM_construct_utf8_string(name.cString, UnsafeMutablePointer(mutating: text.cString), 0))
  }

  mutating func add(_ name: StaticString, number: UInt64) {
    let copy = keep(withUnsafeBytes(of: number) { Array($0) })
    list.append(OSSL_PARAM_construct_uint64(name.cString, copy.assumingMemoryBound(to: UInt64.self).baseAddress))
  }

  mutating func add(_ name: StaticString, mode: Int32) {
    let copy = keep(withUnsafeBytes(of: mode) { Array($0) })
    list.append(OSSL_PARAM_construct_int(name.cString, copy.assumingMemoryBound(to: Int32.self).baseAddress))
  }

  /// - Parameter bigEndian: an unsigned integer, most significant byte first.
  mutating func add(_ name: StaticString, bigEndian: [UInt8]) {
    // libcrypto's integers are in the machine's order; ours is little-endian on every platform Postern builds for.
    let copy = keep(bigEndian.reversed())
    list.append(
      OSSL_PARAM_construct_BN(name.cString, copy.assumingMemoryBound(to: UInt8.self).baseAddress, bigEndian.count))
  }

  func withList<Result>(_ body: (UnsafeMutablePointer<OSSL_PARAM>) -> Result) -> Result {
    var ended = list
    ended.append(OSSL_PARAM_construct_end())
    return ended.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  }

  private mutating func keep(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
    // At least one byte: libcrypto takes a null pointer for "not given".
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
    copy.copyBytes(from: bytes)
    storage.append(copy)
    return copy
  }

  deinit {
    for copy in storage {
      OPENSSL_cleanse(copy.baseAddress, copy.count)
      copy.deallocate()
    }
  }
}

extension StaticString {
  /// The text for C.
  // SAFETY: literals end with a zero byte and live for ever.
  var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
