/// base64url without padding. Source: RFC 4648 §5; RFC 7515 §2.
///
/// Decoding is strict: no padding, no white space, canonical trailing bits.
public enum Base64URL {
  public static func encode(_ bytes: [UInt8]) -> String { encodeUnpadded(bytes, .urlSafe) }

  public static func decode(_ text: String) -> [UInt8]? { decodeUnpadded(text.utf8, .urlSafe) }

  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? { decodeUnpadded(text, .urlSafe) }

  /// Decodes without allocating.
  ///
  /// - Returns: the number of bytes written; nil when the text is not canonical base64url or does not fit.
  public static func decode(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    Base64Alphabet.urlSafe.decode(source, into: target)
  }
}

func encodeUnpadded(_ bytes: [UInt8], _ alphabet: Base64Alphabet, padding: Int = 0) -> String {
  let count = Base64Alphabet.encodedCount(bytes.count)
  // SAFETY: the alphabet writes `count` bytes and the loop the rest, all of them ASCII.
  return String(unsafeUninitializedCapacity: count + padding) { output in
    bytes.withUnsafeBytes { alphabet.encode($0, into: UnsafeMutableRawBufferPointer(output)) }
    for index in count..<(count + padding) { output[index] = UInt8(ascii: "=") }
    return count + padding
  }
}

func decodeUnpadded(_ text: some Collection<UInt8>, _ alphabet: Base64Alphabet) -> [UInt8]? {
  let decoded = text.withContiguousStorageIfAvailable { decodeUnpadded(UnsafeRawBufferPointer($0), alphabet) }
  return decoded ?? Array(text).withUnsafeBytes { decodeUnpadded($0, alphabet) }
}

private func decodeUnpadded(_ text: UnsafeRawBufferPointer, _ alphabet: Base64Alphabet) -> [UInt8]? {
  guard let count = Base64Alphabet.decodedCount(text.count) else { return nil }
  var isCanonical = false
  // SAFETY: the buffer may be larger than asked for, so it is cut to `count`; bytes are plain, and a refused text's are dropped.
  let bytes = [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
    let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[..<count])
    isCanonical = alphabet.decode(text, into: target) != nil
    initialized = count
  }
  return isCanonical ? bytes : nil
}
