extension Span where Element == UInt8 {
  /// `uri-host [ ":" port ]` with a host that is a DNS name, an IPv4 literal or a bracketed IPv6 literal.
  ///
  /// Narrower than RFC 3986 §3.2.2, which also lets sub-delimiters, percent-encoding, empty labels and empty ports in: no
  /// name on the network has them, and parsers differ on them. User information is refused with them (RFC 9110 §4.2.4).
  func isAuthority(_ range: ByteRange) -> Bool {
    var position = Int(range.start)
    let end = Int(range.end)
    guard position < end, range.count <= authorityBytesMax else { return false }
    if self[position] == UInt8(ascii: "[") {
      let start = position &+ 1
      while position < end, self[position] != UInt8(ascii: "]") { position &+= 1 }
      guard position < end, isIPv6(start..<position) else { return false }
      position &+= 1
    } else {
      var previous = UInt8(ascii: ".")
      while position < end, isHostByte(self[position]) {
        guard previous != UInt8(ascii: ".") || self[position] != previous else { return false }
        previous = self[position]
        position &+= 1
      }
      guard position > Int(range.start) else { return false }
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

  /// A name of 253 bytes (RFC 1035 §2.3.4) with the dot of the root, a colon and five digits.
  private var authorityBytesMax: Int { 260 }

  private func isHostByte(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower &- 0x61 < 26 || ByteClass.isDigit(byte) || byte == 0x2d || byte == 0x2e || byte == 0x5f
  }

  /// Source: RFC 3986 §3.2.2, `IPv6address`.
  private func isIPv6(_ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    var groups = 0
    var isCompressed = false
    func isGap() -> Bool {
      position &+ 1 < range.upperBound && self[position] == UInt8(ascii: ":") && self[position &+ 1] == UInt8(ascii: ":")
    }
    if isGap() {
      isCompressed = true
      position &+= 2
    }
    while position < range.upperBound {
      if isIPv4(position..<range.upperBound) {
        groups &+= 2
        break
      }
      let start = position
      while position < range.upperBound, ByteClass.hexValue(self[position]) != nil { position &+= 1 }
      guard (1...4).contains(position &- start) else { return false }
      groups &+= 1
      guard position < range.upperBound else { break }
      if isGap() {
        guard !isCompressed else { return false }
        isCompressed = true
        position &+= 2
      } else {
        position &+= 1
        guard self[position &- 1] == UInt8(ascii: ":"), position < range.upperBound else { return false }
      }
    }
    return isCompressed ? groups < 8 : groups == 8
  }

  /// Four numbers up to 255 without padding.
  private func isIPv4(_ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    for number in 0..<4 {
      if number > 0 {
        guard position < range.upperBound, self[position] == UInt8(ascii: ".") else { return false }
        position &+= 1
      }
      let start = position
      var value = 0
      while position < range.upperBound, position &- start < 3, ByteClass.isDigit(self[position]) {
        value = value &* 10 &+ Int(self[position] &- 0x30)
        position &+= 1
      }
      guard position > start, value <= 255, position == start &+ 1 || self[start] != UInt8(ascii: "0") else { return false }
    }
    return position == range.upperBound
  }
}
