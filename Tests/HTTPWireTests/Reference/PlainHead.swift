import Glibc

@testable import HTTPWire

/// Heads read in the plainest way: all at once, line by line, with copies. Slow, and short enough to be seen to be right;
/// the scanners must agree with it on whatever bytes.
///
/// Sizes are not its business: it is asked about heads below every limit. It tells that a head is refused, not why.
enum PlainHead {
  static let refusal = WireError.badRequestLine

  private static let crlf: [UInt8] = [0x0d, 0x0a]

  // MARK: Requests

  static func request(_ input: [UInt8]) -> Reading<ReadRequest> {
    let bytes = input.starts(with: crlf) ? Array(input.dropFirst(2)) : input
    guard let (lines, rest) = lines(of: bytes) else { return .incomplete }
    let words = lines[0].split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
    guard words.count == 3, isToken(words[0]), words[0].count <= 32 else { return .refused(refusal) }
    let isHTTP10 = latin1(words[2][...]) == "HTTP/1.0"
    guard isHTTP10 || latin1(words[2][...]) == "HTTP/1.1" else { return .refused(refusal) }
    guard let target = target(words[1], method: latin1(words[0][...])) else { return .refused(refusal) }
    guard let fields = fields(lines.dropFirst(), isRequest: true) else { return .refused(refusal) }

    let hosts = fields.values("host")
    guard hosts.count <= 1, hosts.allSatisfy(isAuthority), !hosts.isEmpty || isHTTP10 else { return .refused(refusal) }
    if let authority = target.authority, let host = hosts.first {
      guard lowercased(authority) == lowercased(host) else { return .refused(refusal) }
    }
    let expectations = fields.values("expect").map { latin1(lowercased($0)[...]) }
    guard expectations.isEmpty || expectations == ["100-continue"] else { return .refused(refusal) }
    guard fields.values("authorization").count <= 1, !(isHTTP10 && fields.isChunked) else { return .refused(refusal) }

    return .read(ReadRequest(
      method: latin1(words[0][...]), path: latin1(target.path[...]), query: target.query.map { latin1($0[...]) },
      authority: latin1((hosts.first ?? target.authority ?? [])[...]),
      authorization: fields.values("authorization").first.map { latin1($0[...]) },
      framing: fields.isChunked ? .chunked : fields.length ?? 0 == 0 ? .none : .length(fields.length!),
      isPersistent: !fields.options.contains("close") && (!isHTTP10 || fields.options.contains("keep-alive")),
      expectsContinue: !isHTTP10 && !expectations.isEmpty, forwarded: fields.forwarded, rest: latin1(rest)))
  }

  private static func target(_ bytes: [UInt8], method: String) -> (authority: [UInt8]?, path: [UInt8], query: [UInt8]?)? {
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }) else { return nil }
    guard method != "CONNECT" else { return nil }
    if bytes == [UInt8(ascii: "*")], method == "OPTIONS" { return (nil, bytes, nil) }
    let question = bytes.firstIndex(of: UInt8(ascii: "?"))
    let query = question.map { Array(bytes[($0 + 1)...]) }
    let part = Array(bytes[..<(question ?? bytes.count)])
    if part.first == UInt8(ascii: "/") { return (nil, part, query) }
    for scheme in ["http://", "https://"] where latin1(lowercased(part)[...]).hasPrefix(scheme) {
      let rest = part.dropFirst(scheme.utf8.count)
      let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
      let authority = Array(rest[..<slash])
      return isAuthority(authority) ? (authority, Array(rest[slash...]), query) : nil
    }
    return nil
  }

  static func isAuthority(_ bytes: [UInt8]) -> Bool {
    var text = latin1(bytes[...])
    if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
      let port = text[text.index(after: colon)...]
      guard (1...5).contains(port.utf8.count), port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), Int(port)! < 65536
      else { return false }
      text = String(text[..<colon])
    }
    if text.hasPrefix("["), text.hasSuffix("]") {
      var address = in6_addr()
      // The C library's own opinion.
      return !text.utf8.contains(0) && inet_pton(AF_INET6, String(text.dropFirst().dropLast()), &address) == 1
    }
    var labels = text.split(separator: ".", omittingEmptySubsequences: false)
    if labels.count > 1, labels.last == "" { labels.removeLast() }
    return labels.allSatisfy { label in
      !label.isEmpty && label.unicodeScalars.allSatisfy { scalar in
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_")
      }
    }
  }

  // MARK: Responses

  static func response(_ bytes: [UInt8], to method: MethodKind) -> Reading<ReadResponse> {
    guard let (lines, rest) = lines(of: bytes) else { return .incomplete }
    let line = latin1(lines[0][...]).unicodeScalars.map { $0 }
    guard line.count >= 12, ["HTTP/1.0 ", "HTTP/1.1 "].contains(String(String.UnicodeScalarView(line[..<9]))),
      line[9..<12].allSatisfy({ ("0"..."9").contains($0) }), line.count == 12 || line[12] == " ",
      line.allSatisfy({ isValue(UInt8($0.value)) })
    else { return .refused(refusal) }
    let status = Int(String(String.UnicodeScalarView(line[9..<12])))!
    guard (100...599).contains(status), let fields = fields(lines.dropFirst(), isRequest: false) else { return .refused(refusal) }
    let isHTTP10 = line[7] == "0"
    guard !(isHTTP10 && fields.isChunked) else { return .refused(refusal) }
    let framing: BodyFraming
    if status < 200 || status == 204 {
      guard !fields.isChunked, fields.length ?? 0 == 0 else { return .refused(refusal) }
      framing = .none
    } else if method == .head || status == 304 {
      framing = .none
    } else if fields.isChunked {
      framing = .chunked
    } else if let length = fields.length {
      framing = length == 0 ? .none : .length(length)
    } else {
      framing = .untilClose
    }
    return .read(ReadResponse(
      statusAndReason: String(String.UnicodeScalarView(line[9...])), framing: framing,
      isPersistent: framing != .untilClose && !isHTTP10 && !fields.options.contains("close"),
      forwarded: fields.forwarded, rest: latin1(rest)))
  }

  // MARK: Fields

  private struct Fields {
    var lines: [(name: String, value: [UInt8])] = []
    var length: UInt64?
    var isChunked = false
    /// Of `Connection`, in lower case.
    var options: [String] = []
    var forwarded: [String] = []

    func values(_ name: String) -> [[UInt8]] { lines.filter { $0.name == name }.map(\.value) }
  }

  /// - Returns: nil when they are refused.
  private static func fields(_ lines: ArraySlice<[UInt8]>, isRequest: Bool) -> Fields? {
    var fields = Fields()
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(Array(line[..<colon])) else { return nil }
      let value = trimmed(line[(colon + 1)...])
      guard value.allSatisfy(isValue) else { return nil }
      fields.lines.append((latin1(lowercased(Array(line[..<colon]))[...]), value))
    }
    for value in fields.values("connection") {
      for element in value.split(separator: UInt8(ascii: ",")) {
        let option = trimmed(element)
        guard option.isEmpty || isToken(option) else { return nil }
        if !option.isEmpty { fields.options.append(latin1(lowercased(option)[...])) }
      }
    }
    let hasNominations = !Set(fields.options).isSubset(of: ["close", "keep-alive", "upgrade", "te"])
    let nominated = hasNominations ? Set(fields.options) : []
    let protected = ["content-length", "transfer-encoding"] + (isRequest ? ["host", "authorization", "expect"] : [])
    guard nominated.isDisjoint(with: protected), nominated.isEmpty || fields.options.count <= 16 else { return nil }

    let lengths = fields.values("content-length")
    let codings = fields.values("transfer-encoding")
    guard lengths.count <= 1, codings.count <= 1, lengths.isEmpty || codings.isEmpty else { return nil }
    if let length = lengths.first {
      guard (1...18).contains(length.count), length.allSatisfy({ (0x30...0x39).contains($0) }),
        length.count == 1 || length[0] != UInt8(ascii: "0")
      else { return nil }
      fields.length = UInt64(latin1(length[...]))!
    }
    if let coding = codings.first {
      guard latin1(lowercased(coding)[...]) == "chunked" else { return nil }
      fields.isChunked = true
    }
    let isCut = fields.lines.map { isDropped($0.name, isRequest: isRequest) || nominated.contains($0.name) }
    for (line, isCut) in zip(lines, isCut) where !isCut { fields.forwarded.append(latin1(line[...])) }
    let cutsAtFirst = fields.lines.map { isDropped($0.name, isRequest: isRequest) }
    guard lines.count <= 100, [isCut, cutsAtFirst].allSatisfy({ runs(of: $0) <= CutList.capacity }) else { return nil }
    return fields
  }

  private static func runs(of cuts: [Bool]) -> Int {
    zip(cuts, [false] + cuts).count { isCut, wasCut in isCut && !wasCut }
  }

  /// Whether a field of this name, in lower case, stays here.
  private static func isDropped(_ name: String, isRequest: Bool) -> Bool {
    let folded = name.replacing("_", with: "-")
    let dropped = ["te", "upgrade", "keep-alive", "x-request-id", "connection"]
    let droppedOfRequests = [
      "host", "authorization", "forwarded", "x-real-ip", "client-cert", "client-cert-chain", "http2-settings", "proxy",
      "traceparent",
    ]
    if dropped.contains(folded) || isRequest && droppedOfRequests.contains(folded) { return true }
    if folded.hasPrefix("proxy-"), isRequest || folded != "proxy-status" { return true }
    if isRequest, folded.hasPrefix("x-forwarded-") { return true }
    // What looks like such a field to some and is none.
    let imitated = ["content-length", "transfer-encoding"] + (isRequest ? [] : ["www-authenticate"])
    return imitated.contains(folded) && folded != name
  }

  // MARK: Bytes

  /// The lines of a head up to the empty line, and what follows; nil when it does not end.
  private static func lines(of bytes: [UInt8]) -> ([[UInt8]], ArraySlice<UInt8>)? {
    guard let end = bytes.firstRange(of: crlf + crlf) else { return nil }
    let lines = Array(bytes[..<end.lowerBound]).split(separator: crlf, omittingEmptySubsequences: false).map(Array.init)
    return (lines, bytes[end.upperBound...])
  }

  static func isToken(_ bytes: [UInt8]) -> Bool {
    let marks = Array("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    return !bytes.isEmpty && bytes.allSatisfy(marks.contains)
  }

  static func isValue(_ byte: UInt8) -> Bool { byte == 0x09 || byte >= 0x20 && byte != 0x7f }

  static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    return Array(bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
  }

  static func lowercased(_ bytes: [UInt8]) -> [UInt8] { bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 } }
}
