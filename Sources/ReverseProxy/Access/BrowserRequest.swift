import HTTPWire

/// What a request's head says about the browser that sends it.
public enum BrowserRequest {
  /// Whether a person waits for a page, who can be sent to sign in. A script could do nothing with a sign-in page.
  ///
  /// Browsers say so by Fetch Metadata; those that do not are believed by what they accept.
  ///
  /// Source: W3C Fetch Metadata §2.1, §2.2.
  public static func isNavigation(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> Bool {
    guard head.methodKind == .get, !head.fields.asksToUpgrade else { return false }
    let mode = bytes.soleField("sec-fetch-mode", in: head.fieldLines)
    let destination = bytes.soleField("sec-fetch-dest", in: head.fieldLines)
    switch (mode, destination) {
    case (.absent, .absent): return acceptsHTML(head.fieldLines, bytes)
    case (.value(let mode), .value(let destination)):
      return bytes.equalsIgnoringCase("navigate", mode) && bytes.equalsIgnoringCase("document", destination)
    default: return false
    }
  }

  /// Whether a session cookie alone could make the request do something for a page of another site: its method is not
  /// safe, or it opens a channel for any messages. Source: RFC 9110 §9.2.1; RFC 6455 §10.2.
  public static func needsProofOfOrigin(_ head: borrowing RequestHead) -> Bool {
    switch head.methodKind {
    case .get, .head, .options: head.fields.asksToUpgrade
    case .post, .put, .delete, .trace, .connect, .patch, .other: true
    }
  }

  /// Whether the browser vouches that a page of `origin` itself sends the request. Nothing that it says may contradict,
  /// and saying nothing proves nothing.
  ///
  /// - Parameter origin: serialized, such as `https://auth.example.com`.
  ///
  /// Source: W3C Fetch Metadata §2.3; RFC 6454 §7.
  public static func isProvenOwn(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, origin: [UInt8]) -> Bool {
    var isProven = false
    switch bytes.soleField("sec-fetch-site", in: head.fieldLines) {
    case .absent: break
    case .value(let site):
      guard bytes.equalsIgnoringCase("same-origin", site) else { return false }
      isProven = true
    case .repeated: return false
    }
    switch bytes.soleField("origin", in: head.fieldLines) {
    case .absent: break
    case .value(let sender):
      // What pages without a referrer send: it says nothing.
      if bytes.equalsIgnoringCase("null", sender) { break }
      guard bytes.extracting(sender.range).isEqual(to: origin.span, from: 0, count: origin.count) else { return false }
      isProven = true
    case .repeated: return false
    }
    return isProven
  }

  /// The value of a cookie. Two of one name are `repeated`: one of them is planted.
  ///
  /// Source: RFC 6265 §4.2.1; the name's case counts.
  public static func cookie(_ name: [UInt8], _ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> SoleField {
    var found = SoleField.absent
    var lines = FieldLines(head.fieldLines)
    while let line = lines.next(bytes) {
      guard bytes.equalsIgnoringCase("cookie", line.name) else { continue }
      var start = Int(line.value.start)
      while start < Int(line.value.end) {
        let end = bytes.position(of: UInt8(ascii: ";"), in: start..<Int(line.value.end))
        while start < end, bytes[start] == UInt8(ascii: " ") { start += 1 }
        let equals = bytes.position(of: UInt8(ascii: "="), in: start..<end)
        if equals < end, bytes.extracting(start..<equals).isEqual(to: name.span, from: 0, count: name.count) {
          guard found == .absent else { return .repeated }
          found = .value(ByteRange(equals + 1, end))
        }
        start = end + 1
      }
    }
    return found
  }

  /// Source: RFC 9110 §12.5.1.
  private static func acceptsHTML(_ fieldLines: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
    var lines = FieldLines(fieldLines)
    while let line = lines.next(bytes) {
      guard bytes.equalsIgnoringCase("accept", line.name) else { continue }
      var start = Int(line.value.start)
      while start < Int(line.value.end) {
        let end = bytes.position(of: UInt8(ascii: ","), in: start..<Int(line.value.end))
        while start < end, bytes[start] == UInt8(ascii: " ") || bytes[start] == UInt8(ascii: "\t") { start += 1 }
        var type = ByteRange(start, bytes.position(of: UInt8(ascii: ";"), in: start..<end))
        while !type.isEmpty, bytes[Int(type.end) - 1] == UInt8(ascii: " ") { type.end -= 1 }
        if bytes.equalsIgnoringCase("text/html", type) { return true }
        start = end + 1
      }
    }
    return false
  }
}

extension Span where Element == UInt8 {
  /// Where a byte stands; the end of the range when it does not.
  fileprivate func position(of byte: UInt8, in range: Range<Int>) -> Int {
    var index = range.lowerBound
    while index < range.upperBound, self[index] != byte { index += 1 }
    return index
  }
}
