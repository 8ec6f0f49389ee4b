import Cryptography

extension RandomSource {
  /// Uniform in 0..<1.
  func jitter() -> Double { Double(words().0 >> 11) / Double(1 << 53) }
}
