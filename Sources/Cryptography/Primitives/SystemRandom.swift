import COpenSSL

/// Where unpredictable bytes come from; passed in so that tests can decide them.
public protocol RandomSource: Sendable {
  /// - Parameter count: bytes wanted, 0 or more.
  func bytes(_ count: Int) -> [UInt8]
  /// 128 random bits, for identifiers, without an array.
  func words() -> (UInt64, UInt64)
}

/// libcrypto's per-thread generator, seeded by the kernel.
///
/// Bytes are taken from a stock per thread, so that a token costs neither a system call nor a run of the generator.
/// The stock is not protected against `fork` without `exec`, which Postern never does.
public struct SystemRandom: RandomSource {
  public init() {}

  public func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      Self.fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      initialized = count
    }
  }

  public func words() -> (UInt64, UInt64) {
    var words: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &words) { Self.fill($0) }
    return words
  }

  static func fill(_ target: UnsafeMutableRawBufferPointer) {
    ThreadContext.current.pointee.random.take(into: target)
  }
}

/// Random bytes in advance. What was given out is wiped, so that the stock never holds a live token.
struct RandomStock {
  private static let byteCount = 1024

  // SAFETY: owned by one thread through `ThreadContext`, which calls `release` once.
  private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
  private var used = byteCount

  mutating func take(into target: UnsafeMutableRawBufferPointer) {
    guard target.count <= Self.byteCount / 4 else { return Self.generate(target) }
    if target.count > Self.byteCount - used {
      Self.generate(bytes)
      used = 0
    }
    let taken = UnsafeMutableRawBufferPointer(rebasing: bytes[used..<used + target.count])
    target.copyMemory(from: UnsafeRawBufferPointer(taken))
    OPENSSL_cleanse(taken.baseAddress, taken.count)
    used += target.count
  }

  func release() {
    OPENSSL_cleanse(bytes.baseAddress, bytes.count)
    bytes.deallocate()
  }

  private static func generate(_ target: UnsafeMutableRawBufferPointer) {
    guard target.count > 0 else { return }
    // Going on without entropy would issue guessable tokens.
    require(RAND_bytes_ex(nil, target.baseAddress, target.count, 0), "RAND_bytes_ex")
  }
}
