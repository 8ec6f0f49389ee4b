/// Postern's own cookies. Pages and routes share a host, so browsers send them with proxied requests too; an upstream
/// that saw them could act as the signed-in user, one that set them could plant a session.
///
/// Source: RFC 6265 §4.2.1, §5.4: a cookie's path does not protect it from another service on its host (§8.5).
public enum OwnCookies {
  /// Every cookie of Postern is named with this, behind `__Host-` or `__Secure-` where https allows it.
  public static let namePrefix: StaticString = "postern"

  /// Whether a `Set-Cookie` value of an upstream is withheld.
  public static func isOwn(setCookie value: Span<UInt8>) -> Bool { isOwn(value, from: 0) }

  /// The `Cookie` value without Postern's own.
  ///
  /// - Returns: nil when there is nothing to remove, which is usual and costs one scan; empty when nothing is left.
  public static func removed(fromCookie value: Span<UInt8>) -> [UInt8]? {
    guard hasOwn(value) else { return nil }
    var kept: [UInt8] = []
    var start = 0
    while start < value.count {
      let end = endOfPair(value, from: start)
      if !isOwn(value, from: start) {
        if !kept.isEmpty { kept += [UInt8(ascii: ";"), UInt8(ascii: " ")] }
        for index in skipSpace(value, from: start)..<end { kept.append(value[index]) }
      }
      start = end + 1
    }
    return kept
  }

  private static func hasOwn(_ value: Span<UInt8>) -> Bool {
    var start = 0
    while start < value.count {
      if isOwn(value, from: start) { return true }
      start = endOfPair(value, from: start) + 1
    }
    return false
  }

  private static func isOwn(_ value: Span<UInt8>, from start: Int) -> Bool {
    var start = skipSpace(value, from: start)
    for prefix: StaticString in ["__host-", "__secure-"] where hasPrefix(value, from: start, prefix) {
      start += prefix.utf8CodeUnitCount
      break
    }
    return hasPrefix(value, from: start, namePrefix)
  }

  // Without case: some servers compare cookie names so, and browsers treat the `__Host-` prefix so (RFC 6265bis §4.1.3).
  private static func hasPrefix(_ value: Span<UInt8>, from start: Int, _ prefix: StaticString) -> Bool {
    guard start + prefix.utf8CodeUnitCount <= value.count else { return false }
    return prefix.withUTF8Buffer { bytes in
      for index in bytes.indices where asciiLowercased(value[start + index]) != bytes[index] { return false }
      return true
    }
  }

  private static func skipSpace(_ value: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < value.count, value[index] == UInt8(ascii: " ") || value[index] == UInt8(ascii: "\t") { index += 1 }
    return index
  }

  private static func endOfPair(_ value: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < value.count, value[index] != UInt8(ascii: ";") { index += 1 }
    return index
  }
}
