import EventLoop

/// Names one request in the log, towards the upstream and in error answers: 16 hexadecimal digits of the loop, 16 that count.
struct RequestID {
  private let loop: UInt64
  private(set) var number: UInt64 = 0

  /// - Parameter loop: random, drawn once per loop.
  init(loop: UInt64) { self.loop = loop }

  mutating func advance() { number &+= 1 }

  func append(to queue: inout ByteQueue) {
    withUnsafeBytes(of: digits) { queue.append($0) }
  }

  /// 16 hexadecimal digits that name this request among those of its trace; never all zeros.
  func appendSpan(to queue: inout ByteQueue) {
    // A bijection of the number, so that no two requests of a loop share one. Source: Steele, Lea, Flood, 2014.
    var word = loop &+ number &* 0x9e37_79b9_7f4a_7c15
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = max(word ^ word >> 27, 1)
    withUnsafeBytes(of: (RequestID.digits(word >> 32), RequestID.digits(word))) { queue.append($0) }
  }

  var text: String { withUnsafeBytes(of: digits) { String(decoding: $0, as: UTF8.self) } }

  private var digits: (UInt64, UInt64, UInt64, UInt64) {
    (RequestID.digits(loop >> 32), RequestID.digits(loop), RequestID.digits(number >> 32), RequestID.digits(number))
  }

  /// The eight hexadecimal digits of the lower 32 bits, in memory order.
  private static func digits(_ word: UInt64) -> UInt64 {
    // Spread eight nibbles over eight bytes, then turn each byte into its digit, all at once.
    var spread = word & 0xffff_ffff
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
    let isLetter = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return (spread &+ 0x3030_3030_3030_3030 &+ isLetter &* 0x27).bigEndian
  }
}
