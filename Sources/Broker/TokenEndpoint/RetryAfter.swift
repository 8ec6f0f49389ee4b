/// `Retry-After` in its form of seconds. Source: RFC 9110 §10.2.3.
///
/// A date is not read: it would compare the provider's clock with ours; the back-off's own pause applies instead.
enum RetryAfter {
  /// A provider cannot keep us away for longer.
  static let max = Duration.seconds(15 * 60)

  static func seconds(_ value: String?) -> Duration? {
    guard let value, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    // Digits that overflow are a very long time.
    return min(.seconds(Int64(value) ?? .max), max)
  }
}
