/// An `application/x-www-form-urlencoded` form as it was sent: pairs in order, repeats and empty values kept.
public struct Form: Sendable {
  public let pairs: [(name: String, value: String)]

  public init(_ pairs: [(name: String, value: String)] = []) { self.pairs = pairs }

  /// The first non-empty value. A parameter without a value counts as omitted. Source: RFC 6749 §3.1, §3.2.
  public subscript(name: String) -> String? {
    for pair in pairs where pair.name == name && !pair.value.isEmpty { return pair.value }
    return nil
  }

  /// Every non-empty value, in order.
  public func all(_ name: String) -> [String] {
    pairs.filter { $0.name == name && !$0.value.isEmpty }.map(\.value)
  }

  public func contains(_ name: String) -> Bool { pairs.contains { $0.name == name } }

  /// The first name that occurs twice although it may not; nil when there is none.
  ///
  /// Source: RFC 6749 §3.1, §3.2: parameters must not be included more than once.
  ///
  /// - Parameter repeatable: says whether a parameter may occur more than once, as `resource` may (RFC 8707 §2).
  public func repeated(except repeatable: (String) -> Bool) -> String? {
    // At most `FormDecoder.parameterCountMax` pairs: comparing each with each is cheaper than hashing them.
    for (index, pair) in pairs.enumerated() where !repeatable(pair.name) {
      for other in pairs[..<index] where other.name == pair.name { return pair.name }
    }
    return nil
  }
}

/// Decodes forms strictly: what two readers could understand differently is refused.
///
/// Source: WHATWG URL §5.1 for the format, RFC 6749 appendix B for its use.
public enum FormDecoder {
  /// Parameters in one form; counted before anything is allocated.
  public static let parameterCountMax = 64

  public enum Refusal: Error, Sendable, Equatable {
    case tooManyParameters
    /// `%` without two hexadecimal digits.
    case badPercentEncoding
    case notUTF8
    /// A NUL, raw or encoded: C libraries end strings there.
    case nul
  }

  public static func decode(_ bytes: [UInt8]) throws(Refusal) -> Form {
    if bytes.isEmpty { return Form() }
    var separatorCount = 0
    for byte in bytes where byte == UInt8(ascii: "&") {
      separatorCount += 1
      guard separatorCount < parameterCountMax else { throw .tooManyParameters }
    }

    var pairs: [(name: String, value: String)] = []
    pairs.reserveCapacity(separatorCount + 1)
    var start = 0
    while start <= bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
      if end > start {
        let equals = bytes[start..<end].firstIndex(of: UInt8(ascii: "=")) ?? end
        let name = try text(bytes[start..<equals])
        let value = equals < end ? try text(bytes[(equals + 1)..<end]) : ""
        pairs.append((name, value))
      }
      start = end + 1
    }
    return Form(pairs)
  }

  /// One name or value, or a part of HTTP Basic credentials, which RFC 6749 §2.3.1 encodes the same way.
  public static func text(_ encoded: ArraySlice<UInt8>) throws(Refusal) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(encoded.count)
    var index = encoded.startIndex
    while index < encoded.endIndex {
      switch encoded[index] {
      case UInt8(ascii: "+"):
        decoded.append(0x20)
        index += 1
      case UInt8(ascii: "%"):
        guard index + 2 < encoded.endIndex, let high = hexDigit(encoded[index + 1]),
          let low = hexDigit(encoded[index + 2])
        else { throw .badPercentEncoding }
        decoded.append(high << 4 | low)
        index += 3
      case let byte:
        decoded.append(byte)
        index += 1
      }
      guard decoded.last != 0 else { throw .nul }
    }
    guard let text = String(validating: decoded, as: UTF8.self) else { throw .notUTF8 }
    return text
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}

extension OAuthError {
  public init(_ refusal: FormDecoder.Refusal) {
    let reason =
      switch refusal {
      case .tooManyParameters: "the form has too many parameters"
      case .badPercentEncoding: "the form has a bad percent-encoding"
      case .notUTF8: "the form is not valid UTF-8"
      case .nul: "the form contains a NUL character"
      }
    self.init(.invalidRequest, reason)
  }
}
