extension Span where Element == UInt8 {
  /// `1*DIGIT`, without padding: `010` is eight to some and ten to others.
  ///
  /// - Returns: nil when it is anything else, or has more than 18 digits.
  func contentLength(_ value: ByteRange) -> UInt64? {
    guard (1...18).contains(value.count) else { return nil }
    guard value.count == 1 || self[Int(value.start)] != UInt8(ascii: "0") else { return nil }
    var length: UInt64 = 0
    for position in value.range {
      guard ByteClass.isDigit(self[position]) else { return nil }
      length = length &* 10 &+ UInt64(self[position] &- 0x30)
    }
    return length
  }

  /// `uri-host [ ":" port ]` with a host that is a DNS name, an IPv4 literal or a bracketed IPv6 literal.
  ///
  /// Narrower than RFC 3986 §3.2.2, which also lets sub-delimiters and percent-encoding into a host: no name on the
  /// network has them, and parsers differ on them. User information is refused with them (RFC 9110 §4.2.4).
  func isAuthority(_ range: ByteRange) -> Bool {
    var position = Int(range.start)
    let end = Int(range.end)
    guard position < end else { return false }
    if self[position] == UInt8(ascii: "[") {
      position &+= 1
      let start = position
      while position < end, ByteClass.hexValue(self[position]) != nil || self[position] == 0x3a || self[position] == 0x2e {
        position &+= 1
      }
      guard position > start &+ 1, position < end, self[position] == UInt8(ascii: "]") else { return false }
      position &+= 1
    } else {
      let start = position
      while position < end, isHostByte(self[position]) { position &+= 1 }
      guard position > start else { return false }
    }
    guard position < end else { return true }
    guard self[position] == UInt8(ascii: ":"), (1...5).contains(end &- position &- 1) else { return false }
    var port = 0
    for index in position &+ 1..<end {
      guard ByteClass.isDigit(self[index]) else { return false }
      port = port &* 10 &+ Int(self[index] &- 0x30)
    }
    return port <= 65535
  }

  private func isHostByte(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower &- 0x61 < 26 || ByteClass.isDigit(byte) || byte == 0x2d || byte == 0x2e || byte == 0x5f
  }
}
