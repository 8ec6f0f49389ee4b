@testable import HTTPWire

/// A chunked body read in the plainest way: all at once, line by line, with copies.
enum PlainChunks {
  static func read(_ bytes: [UInt8]) -> Reading<ReadBody> {
    var rest = bytes[...]
    var content: [UInt8] = []
    var extensionCount = 0
    while true {
      guard let line = popLine(&rest) else { return .incomplete }
      let digits = line.prefix { $0 != UInt8(ascii: ";") }
      guard (1...15).contains(digits.count), let size = Int(latin1(digits), radix: 16), digits.first != UInt8(ascii: "+"),
        digits.first != UInt8(ascii: "-")
      else { return .refused(.badChunk) }
      guard areExtensions(Array(line.dropFirst(digits.count))) else { return .refused(.badChunk) }
      extensionCount += max(0, line.count - digits.count - 1)
      guard extensionCount <= 4096 else { return .refused(.chunkExtensionsTooLarge) }
      if size == 0 { break }
      guard rest.count >= size + 2 else { return .incomplete }
      content += rest.prefix(size)
      rest = rest.dropFirst(size)
      guard rest.starts(with: [0x0d, 0x0a]) else { return .refused(.badChunk) }
      rest = rest.dropFirst(2)
    }
    var trailerCount = 0
    while let line = popLine(&rest) {
      trailerCount += 1
      if line.isEmpty { return .read(ReadBody(content: latin1(content[...]), wireCount: bytes.count - rest.count, isComplete: true)) }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), PlainHead.isToken(Array(line[..<colon])),
        PlainHead.trimmed(line[(colon + 1)...]).allSatisfy(PlainHead.isValue), !isForbidden(Array(line[..<colon])),
        trailerCount <= 32
      else { return .refused(.badTrailers) }
    }
    return .incomplete
  }

  private static func popLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let end = rest.firstRange(of: [0x0d, 0x0a] as [UInt8]) else { return nil }
    defer { rest = rest[end.upperBound...] }
    return rest[..<end.lowerBound]
  }

  /// `*( ";" name [ "=" ( token / quoted-string ) ] )`.
  private static func areExtensions(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while let semicolon = rest.popFirst() {
      guard semicolon == UInt8(ascii: ";") else { return false }
      guard popToken(&rest) else { return false }
      guard rest.first == UInt8(ascii: "=") else { continue }
      rest.removeFirst()
      guard rest.first == UInt8(ascii: "\"") else {
        guard popToken(&rest) else { return false }
        continue
      }
      rest.removeFirst()
      var isClosed = false
      while !isClosed, let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\"") {
          isClosed = true
        } else if byte == UInt8(ascii: "\\") {
          guard let escaped = rest.popFirst(), PlainHead.isValue(escaped) else { return false }
        } else {
          guard PlainHead.isValue(byte) else { return false }
        }
      }
      guard isClosed else { return false }
    }
    return true
  }

  private static func popToken(_ rest: inout ArraySlice<UInt8>) -> Bool {
    let token = rest.prefix { PlainHead.isToken([$0]) }
    rest = rest.dropFirst(token.count)
    return !token.isEmpty
  }

  private static func isForbidden(_ name: [UInt8]) -> Bool {
    let folded = latin1(PlainHead.lowercased(name)[...]).replacing("_", with: "-")
    return folded.hasPrefix("proxy-") || folded.hasPrefix("x-forwarded-")
      || [
        "te", "upgrade", "keep-alive", "x-request-id", "connection", "host", "authorization", "forwarded", "x-real-ip",
        "client-cert", "client-cert-chain", "http2-settings", "proxy", "traceparent", "via", "expect", "cookie", "set-cookie",
        "www-authenticate", "content-length", "transfer-encoding", "age", "cache-control", "content-encoding",
        "content-location", "content-range", "content-type", "date", "expires", "if-match", "if-modified-since",
        "if-none-match", "if-range", "if-unmodified-since", "location", "max-forwards", "origin", "pragma", "range",
        "retry-after", "trailer", "vary", "warning",
      ].contains(folded)
  }
}
