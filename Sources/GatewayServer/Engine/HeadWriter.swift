import EventLoop
import HTTPWire
import ReverseProxy

extension ByteQueue {
  /// Writes the request line for an upstream, and what of the caller's fields it gets.
  ///
  /// - Parameters:
  ///   - prefix: in front of the path.
  ///   - pathStart: where the forwarded part of the path begins.
  ///   - names: of fields that the route removes.
  mutating func append(
    forwarding head: borrowing RequestHead, _ bytes: Span<UInt8>, prefix: [UInt8], pathStart: Int,
    stripping names: [[UInt8]]
  ) {
    append(bytes.extracting(head.method.range))
    append(UInt8(ascii: " "))
    append(prefix)
    append(bytes.extracting(pathStart..<Int(head.path.end)))
    if prefix.isEmpty, pathStart == Int(head.path.end) { append(UInt8(ascii: "/")) }
    if let query = head.query { append(bytes.extracting(Int(query.start) - 1..<Int(query.end))) }
    // Source: RFC 9112 §2.3: an intermediary sends its own version.
    append(" HTTP/1.1\r\n")
    if let value = head.fields.traceParent, TraceField(bytes, value).endsState {
      let names = names + [Array("tracestate".utf8)]
      append(bytes, requestLines: head.fieldLines, without: head.fields.cuts, stripping: names)
    } else if head.fields.hasCookies || !names.isEmpty {
      append(bytes, requestLines: head.fieldLines, without: head.fields.cuts, stripping: names)
    } else {
      append(bytes, lines: head.fieldLines, without: head.fields.cuts)
    }
  }

  /// Tells the upstream which host the caller asked for.
  mutating func append(forwardedHostOf head: borrowing RequestHead, _ bytes: Span<UInt8>) {
    guard !head.authority.isEmpty else { return }
    append("X-Forwarded-Host: ")
    append(bytes.extracting(head.authority.range))
    append("\r\n")
  }

  /// Forwards field lines, leaving out the cuts: a few copies, whatever the number of fields.
  mutating func append(_ bytes: Span<UInt8>, lines: Range<Int>, without cuts: borrowing CutList) {
    var position = lines.lowerBound
    for index in 0..<cuts.count {
      let cut = cuts[index].range
      if cut.lowerBound > position { append(bytes.extracting(position..<cut.lowerBound)) }
      position = cut.upperBound
    }
    if lines.upperBound > position { append(bytes.extracting(position..<lines.upperBound)) }
  }

  /// Forwards request field lines one by one, for heads with lines that must be looked into.
  mutating func append(
    _ bytes: Span<UInt8>, requestLines lines: Range<Int>, without cuts: borrowing CutList, stripping names: [[UInt8]]
  ) {
    var walk = FieldWalk(lines)
    while let line = walk.next(bytes, cuts) {
      if names.contains(where: { bytes.isFieldName(line.name, $0) }) { continue }
      if bytes.isFieldName(line.name, "cookie"),
        let kept = OwnCookies.removed(fromCookie: bytes.extracting(line.value.range))
      {
        guard !kept.isEmpty else { continue }
        append("Cookie: ")
        append(kept)
        append("\r\n")
        continue
      }
      append(bytes.extracting(line.whole.range))
    }
  }

  /// Forwards response field lines one by one.
  ///
  /// - Parameters:
  ///   - dechunked: whether the client gets the content without its chunk framing.
  ///   - withoutAccessControl: whether the route says who may read the response, in place of the upstream.
  mutating func append(
    _ bytes: Span<UInt8>, responseLines lines: Range<Int>, without cuts: borrowing CutList, dechunked: Bool,
    withoutAccessControl: Bool = false
  ) {
    var walk = FieldWalk(lines)
    while let line = walk.next(bytes, cuts) {
      if dechunked, bytes.isFieldName(line.name, "transfer-encoding") { continue }
      if withoutAccessControl, CrossOriginAnswers.isOwn(responseField: bytes.extracting(line.name.range)) { continue }
      if bytes.isFieldName(line.name, "set-cookie"), OwnCookies.isOwn(setCookie: bytes.extracting(line.value.range)) {
        continue
      }
      if bytes.isFieldName(line.name, "www-authenticate") {
        append(FieldRules.renamedChallenge)
        append(bytes.extracting(Int(line.name.end)..<line.end))
        continue
      }
      append(bytes.extracting(line.whole.range))
    }
  }
}

/// The lines of a head that are not cut.
private struct FieldWalk {
  private var lines: FieldLines
  private var nextCut = 0

  init(_ range: Range<Int>) { lines = FieldLines(range) }

  mutating func next(_ bytes: Span<UInt8>, _ cuts: borrowing CutList) -> FieldLine? {
    while let line = lines.next(bytes) {
      while nextCut < cuts.count, Int(cuts[nextCut].end) <= Int(line.name.start) { nextCut += 1 }
      let isCut = nextCut < cuts.count && cuts[nextCut].range.contains(Int(line.name.start))
      if !isCut { return line }
    }
    return nil
  }
}
