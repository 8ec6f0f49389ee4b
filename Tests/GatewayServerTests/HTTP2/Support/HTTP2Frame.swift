/// One frame as it stands on the wire. Source: RFC 9113 §4.1.
struct HTTP2Frame {
  enum Kind: UInt8 {
    case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
  }

  static let endStream: UInt8 = 0x1
  static let ack: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4

  var type: UInt8
  var flags: UInt8 = 0
  var stream: UInt32 = 0
  var payload: [UInt8] = []

  init(_ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
    type = kind.rawValue
    self.flags = flags
    self.stream = stream
    self.payload = payload
  }

  var kind: Kind? { Kind(rawValue: type) }

  var bytes: [UInt8] {
    let count = payload.count
    return [UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), type, flags] + stream.wireBytes + payload
  }

  /// The four bytes at an offset of the payload.
  func number(at offset: Int = 0) -> UInt32 {
    payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func settings(_ entries: [(UInt16, UInt32)] = []) -> HTTP2Frame {
    HTTP2Frame(.settings, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xff)] + $0.1.wireBytes })
  }

  static func reset(_ stream: UInt32, _ error: UInt32 = 8) -> HTTP2Frame {
    HTTP2Frame(.resetStream, stream: stream, error.wireBytes)
  }

  static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> HTTP2Frame {
    HTTP2Frame(.windowUpdate, stream: stream, increment.wireBytes)
  }

  static func headers(_ stream: UInt32, _ fields: [(String, String)], endsStream: Bool = true) -> HTTP2Frame {
    HTTP2Frame(
      .headers, flags: endHeaders | (endsStream ? HTTP2Frame.endStream : 0), stream: stream,
      fields.flatMap { literal(Array($0.0.utf8), Array($0.1.utf8)) })
  }

  /// A field block in as many frames as it needs. Source: RFC 9113 §6.10.
  static func split(_ stream: UInt32, _ fields: [(String, String)]) -> [HTTP2Frame] {
    var rest = fields.flatMap { literal(Array($0.0.utf8), Array($0.1.utf8)) }[...]
    var frames: [HTTP2Frame] = []
    repeat {
      let part = Array(rest.prefix(16384))
      rest = rest.dropFirst(16384)
      let flags = rest.isEmpty ? endHeaders : 0
      frames.append(
        frames.isEmpty
          ? HTTP2Frame(.headers, flags: flags | endStream, stream: stream, part)
          : HTTP2Frame(.continuation, flags: flags, stream: stream, part))
    } while !rest.isEmpty
    return frames
  }

  static func data(_ stream: UInt32, _ content: String, endsStream: Bool = false) -> HTTP2Frame {
    HTTP2Frame(.data, flags: endsStream ? HTTP2Frame.endStream : 0, stream: stream, Array(content.utf8))
  }

  /// A field as it is, neither indexed nor Huffman-coded. Source: RFC 7541 §6.2.2.
  static func literal(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] { [0] + text(name) + text(value) }

  private static func text(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
    var length: [UInt8] = [127]
    var rest = bytes.count - 127
    while rest >= 128 {
      length.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return length + [UInt8(rest)] + bytes
  }
}

extension UInt32 {
  var wireBytes: [UInt8] { [UInt8(self >> 24), UInt8(self >> 16 & 0xff), UInt8(self >> 8 & 0xff), UInt8(self & 0xff)] }
}
