import COpenSSL

/// Bytes that must not leak: prints, encodes and mirrors as `<redacted>`, compares in constant time.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let storage: [UInt8]

  public init(bytes: [UInt8]) { storage = bytes }
  public init(_ text: String) { storage = Array(text.utf8) }

  public var count: Int { storage.count }

  /// The bytes themselves. The name is long so that every use is seen in review.
  public var exposedBytes: [UInt8] { storage }

  /// The bytes as UTF-8 text, for the one place that hands the secret to its owner.
  public var exposedText: String { String(decoding: storage, as: UTF8.self) }

  /// Lends the bytes to a C call without copying them.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    storage.withUnsafeBytes { body($0) }
  }

  public var description: String { "<redacted>" }
  public var debugDescription: String { "<redacted>" }
  public var customMirror: Mirror { Mirror(self, children: []) }

  public static func == (left: Secret, right: Secret) -> Bool {
    constantTimeEqual(left.storage, right.storage)
  }

  // Hashing would need the bytes; the count is enough for a type that is not meant as a key.
  public func hash(into hasher: inout Hasher) { hasher.combine(storage.count) }
}

/// Compares without leaving early; only the lengths may show in the time it takes.
func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
