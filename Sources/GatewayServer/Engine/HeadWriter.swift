import EventLoop
import HTTPWire
import ReverseProxy

extension ByteQueue {
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
  /// - Parameter dechunked: whether the client gets the content without its chunk framing.
  mutating func append(
    _ bytes: Span<UInt8>, responseLines lines: Range<Int>, without cuts: borrowing CutList, dechunked: Bool
  ) {
    var walk = FieldWalk(lines)
    while let line = walk.next(bytes, cuts) {
      if dechunked, bytes.isFieldName(line.name, "transfer-encoding") { continue }
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
