import Cryptography
import EventLoop
import HTTPWire

/// How Postern names itself to those before and behind it, and knows itself again.
///
/// `Via` is a list, and lines of one name are one list (RFC 9110 §5.3): an entry is appended by one more line, without
/// touching those that came. All instances of a deployment have one pseudonym, since a request that comes back to any of
/// them goes in a circle.
///
/// Source: RFC 9110 §7.6.3.
public struct ViaField: Sendable {
  /// Empty: neither written nor looked for.
  let pseudonym: [UInt8]

  // Written into every head, together with what stands there anyway. The version is that of the message received.
  let beforeRequestID: LastingBytes
  let beforeRequestIDOfHTTP10: LastingBytes
  let beforeRequestIDOfHTTP2: LastingBytes
  let endOfHead: LastingBytes

  /// - Parameter pseudonym: a token; empty: none.
  init(_ pseudonym: String) {
    precondition(pseudonym.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ",") }, "a pseudonym is a token")
    func line(_ version: String) -> [UInt8] {
      pseudonym.isEmpty ? [] : Array("Via: \(version) \(pseudonym)\r\n".utf8)
    }
    self.pseudonym = Array(pseudonym.utf8)
    beforeRequestID = LastingBytes(line("1.1") + Array("X-Request-Id: ".utf8))
    beforeRequestIDOfHTTP10 = LastingBytes(line("1.0") + Array("X-Request-Id: ".utf8))
    beforeRequestIDOfHTTP2 = LastingBytes(line("2.0") + Array("X-Request-Id: ".utf8))
    endOfHead = LastingBytes(line("1.1") + Array("\r\n".utf8))
  }

  /// No name at all.
  public static let none = ViaField("")

  /// - Parameter deployment: what only its instances have in common: the issuer.
  public init(deployment: String) {
    let digits = Array("0123456789abcdef")
    let digest = SHA256.digest(deployment).bytes.prefix(6)
    self.init("postern-" + String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }))
  }

  /// Whether a head that has `Via` lines came through this deployment before. Names compare without case, as hosts do.
  func isNamed(in bytes: Span<UInt8>, lines: Range<Int>) -> Bool {
    guard !pseudonym.isEmpty else { return false }
    var walk = FieldLines(lines)
    while let line = walk.next(bytes) {
      if bytes.isFieldName(line.name, "via"), isNamed(in: bytes.extracting(line.value.range)) { return true }
    }
    return false
  }

  private func isNamed(in value: Span<UInt8>) -> Bool {
    var start = 0
    for index in 0...value.count {
      guard index == value.count || value[index] == 0x20 || value[index] == 0x09 || value[index] == UInt8(ascii: ",") else {
        continue
      }
      if index - start == pseudonym.count, isPseudonym(value, at: start) { return true }
      start = index + 1
    }
    return false
  }

  private func isPseudonym(_ value: Span<UInt8>, at start: Int) -> Bool {
    for index in pseudonym.indices where value[start + index].lowercased != pseudonym[index].lowercased { return false }
    return true
  }
}

extension UInt8 {
  fileprivate var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}
