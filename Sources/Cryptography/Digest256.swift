/// A SHA-256 digest. Compared in constant time; safe to store and to use as a dictionary key.
public struct Digest256: Sendable {
  // Four words instead of an array: no allocation, and a comparison without branches.
  var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  init() {}

  /// - Parameter bytes: exactly 32 bytes, else nil.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// Lends the 32 bytes without an array.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    Swift.withUnsafeBytes(of: words) { body($0) }
  }
}

extension Digest256: Hashable {
  public static func == (left: Digest256, right: Digest256) -> Bool {
    (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
      | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3) == 0
  }

  // The bytes are uniform already: one word is hash enough.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
