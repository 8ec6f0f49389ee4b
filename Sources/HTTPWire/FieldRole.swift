/// What a field means to the wire; everything else is only carried.
enum FieldRole {
  /// End to end, forwarded as it is.
  case carried
  /// For this connection only, or one that Postern sets itself: never forwarded. Source: RFC 9110 §7.6.1.
  case dropped
  case connection
  case contentLength
  case transferEncoding
  case host
  case authorization
  case expect
  /// `Cookie` or `Set-Cookie`: carried, but whoever forwards looks into it first.
  case cookie
  /// `Via` of a request: carried, but whoever forwards looks for itself in it. Source: RFC 9110 §7.6.3.
  case via
  /// `traceparent` of a request: replaced by whoever forwards.
  case traceParent
  /// `WWW-Authenticate` of a response: carried, but under another name when the challenge was not for the client.
  case challenge
  /// `Date` of a response: carried, but whoever forwards adds one where it is missing. Source: RFC 9110 §6.6.1.
  case date

  /// - Parameters:
  ///   - name: a token within `bytes`.
  ///   - isRequest: the direction; `Host`, `Authorization` and forwarding fields mean something in requests only.
  @inline(__always)
  init(_ bytes: Span<UInt8>, _ name: ByteRange, isRequest: Bool) {
    let start = Int(name.start)
    let (role, length) = FieldRole.known(bytes, start, count: name.count, isRequest: isRequest)
    self = role
    guard role != .carried, length > 4, role != .cookie else { return }
    // A name that is special only because `_` reads as `-` is nobody's honest field: it is dropped, never interpreted.
    for index in start..<start &+ length where bytes[index] == 0x5f { self = .dropped }
  }

  @inline(__always)
  private static func known(
    _ bytes: Span<UInt8>, _ start: Int, count: Int, isRequest: Bool
  ) -> (role: FieldRole, length: Int) {
    let first = bytes[start] | 0x20
    func isName(_ name: StaticString) -> Bool { bytes.foldedEquals(name, at: start) }
    switch (count, first) {
    case (2, UInt8(ascii: "t")): if isName("te") { return (.dropped, 2) }
    case (3, UInt8(ascii: "v")): if isRequest, isName("via") { return (.via, 3) }
    case (4, UInt8(ascii: "d")): if !isRequest, isName("date") { return (.date, 4) }
    case (4, UInt8(ascii: "h")): if isRequest, isName("host") { return (.host, 4) }
    // CGI makes `HTTP_PROXY` of it, which many programs take for their own proxy. Source: CVE-2016-5385.
    case (5, UInt8(ascii: "p")): if isRequest, isName("proxy") { return (.dropped, 5) }
    case (6, UInt8(ascii: "e")): if isRequest, isName("expect") { return (.expect, 6) }
    case (6, UInt8(ascii: "c")): if isRequest, isName("cookie") { return (.cookie, 6) }
    case (7, UInt8(ascii: "u")): if isName("upgrade") { return (.dropped, 7) }
    case (9, UInt8(ascii: "f")): if isRequest, isName("forwarded") { return (.dropped, 9) }
    case (9, UInt8(ascii: "x")): if isRequest, isName("x-real-ip") { return (.dropped, 9) }
    case (10, UInt8(ascii: "c")): if isName("connection") { return (.connection, 10) }
    case (10, UInt8(ascii: "k")): if isName("keep-alive") { return (.dropped, 10) }
    case (10, UInt8(ascii: "s")): if !isRequest, isName("set-cookie") { return (.cookie, 10) }
    case (11, UInt8(ascii: "t")): if isRequest, isName("traceparent") { return (.traceParent, 11) }
    case (11, UInt8(ascii: "c")): if isRequest, isName("client-cert") { return (.dropped, 11) }
    case (12, UInt8(ascii: "x")): if isName("x-request-id") { return (.dropped, 12) }
    case (13, UInt8(ascii: "a")): if isRequest, isName("authorization") { return (.authorization, 13) }
    case (14, UInt8(ascii: "c")): if isName("content-length") { return (.contentLength, 14) }
    case (14, UInt8(ascii: "h")): if isRequest, isName("http2-settings") { return (.dropped, 14) }
    case (16, UInt8(ascii: "w")): if !isRequest, isName("www-authenticate") { return (.challenge, 16) }
    case (17, UInt8(ascii: "c")): if isRequest, isName("client-cert-chain") { return (.dropped, 17) }
    case (17, UInt8(ascii: "t")): if isName("transfer-encoding") { return (.transferEncoding, 17) }
    default: break
    }
    switch first {
    // `Proxy-Status` is the one response field of that family meant for the client. Source: RFC 9209 §2.
    case UInt8(ascii: "p") where count > 5:
      if isName("proxy-"), isRequest || !(count == 12 && isName("proxy-status")) { return (.dropped, 6) }
    case UInt8(ascii: "x") where count > 11:
      if isRequest, isName("x-forwarded-") { return (.dropped, 12) }
    default: break
    }
    return (.carried, 0)
  }
}
