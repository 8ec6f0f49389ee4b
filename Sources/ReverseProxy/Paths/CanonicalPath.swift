/// A request target in origin-form whose path has one meaning only: Postern, and whatever stands behind it, see the same
/// segments. Nothing is rewritten to get there; what could be read in two ways is refused, so the bytes that are matched
/// are the bytes that are forwarded.
///
/// Refused are dot segments in every spelling (raw, percent-encoded, before a path parameter, between encoded slashes),
/// empty segments, backslashes, encoded control bytes, overlong UTF-8, bad escapes and fragments. An encoded slash or
/// backslash is only reported: each route chooses. An escape within an escape (`%252e`) is data, unless decoding to the
/// end would show a dot segment or a control byte: only attacks look so. The query is opaque and passes byte for byte.
///
/// Percent-encoded letters (`/%61dmin`) are legal and stay as they are; `RouteTable` compares decoded octets, so such a
/// path reaches the same route as `/admin`.
///
/// Source: RFC 3986 §3.3, §6.2.2.2, §6.2.2.3; RFC 9110 §4.2.3; RFC 9112 §3.2.1.
public struct CanonicalPath: Sendable, Equatable {
  /// Bytes of the target that are path; the rest is `?` and the query, or nothing.
  public let byteCount: Int
  /// Whether the path has `%2F` or `%5C`: see `Route.encodedSlash`.
  public let hasEncodedSlash: Bool

  /// - Parameter target: the request target as received.
  /// - Throws: why the target is not forwarded; the answer is 400.
  public init(target: Span<UInt8>) throws(PathRefusal) {
    guard target.count > 0, target[0] == UInt8(ascii: "/") else { throw .notOriginForm }
    var segment = SegmentCheck()
    var index = 1
    var foundEncodedSlash = false
    var foundEncodedPercent = false
    path: while index < target.count {
      let byte = target[index]
      switch byte {
      case UInt8(ascii: "?"):
        break path
      case UInt8(ascii: "/"):
        try segment.end(isLast: false)
        segment = SegmentCheck()
        index += 1
      case UInt8(ascii: "%"):
        guard let octet = target.escapedOctet(at: index) else { throw .badEscape }
        if octet == UInt8(ascii: "/") || octet == UInt8(ascii: "\\") { foundEncodedSlash = true }
        if octet == UInt8(ascii: "%") { foundEncodedPercent = true }
        try segment.add(octet, isEscaped: true)
        index += 3
      case UInt8(ascii: "\\"):
        throw .backslash
      case UInt8(ascii: "#"):
        throw .fragment
      default:
        guard CanonicalPath.isPathByte(byte) else { throw .illegalByte }
        try segment.add(byte, isEscaped: false)
        index += 1
      }
    }
    try segment.end(isLast: true)
    byteCount = index
    hasEncodedSlash = foundEncodedSlash
    if foundEncodedPercent { try CanonicalPath.requireNoHiddenSegments(target.extracting(0..<index)) }

    while index < target.count {
      let byte = target[index]
      if byte == UInt8(ascii: "#") { throw .fragment }
      if byte <= 0x20 || byte == 0x7f { throw .illegalByte }
      index += 1
    }
  }

  /// Looks at what is left of a path when its escapes are decoded until there are none.
  private static func requireNoHiddenSegments(_ path: Span<UInt8>) throws(PathRefusal) {
    var octets: [UInt8] = []
    for index in path.indices {
      octets.append(path[index])
      // Every octet is pushed once and an escape takes two away, so deep nesting costs no more than length.
      while octets.count >= 3, let octet = octets.span.escapedOctet(at: octets.count - 3), octets[octets.count - 3] == UInt8(ascii: "%") {
        octets.removeLast(3)
        octets.append(octet)
      }
    }
    var segments = SegmentCheck()
    for octet in octets { try segments.add(octet, isEscaped: true) }
    try segments.end(isLast: true)
  }

  /// `pchar` without its escapes, and the four bytes outside RFC 3986 that browsers send raw (WHATWG URL, path
  /// percent-encode set): `[`, `]`, `^`, `|`.
  private static func isPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "@")...UInt8(ascii: "Z"),
      UInt8(ascii: "&")...UInt8(ascii: ";"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "="),
      UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "^"), UInt8(ascii: "|"):
      true
    default: false
    }
  }
}

/// Why a request target is not forwarded. `description` is fit for the caller.
public enum PathRefusal: String, Error, Sendable, CaseIterable, CustomStringConvertible {
  case notOriginForm = "The request target is not an absolute path."
  case dotSegment = "The path has a dot segment."
  case emptySegment = "The path has an empty segment."
  case backslash = "The path has a backslash."
  case encodedControl = "The path has an encoded control byte."
  case overlongEncoding = "The path has an overlong UTF-8 sequence."
  case badEscape = "The path has a percent sign without two hexadecimal digits."
  case fragment = "The request target has a fragment."
  case illegalByte = "The request target has a byte that must be percent-encoded."
  /// Thrown by the route, not by the parser.
  case encodedSlash = "The path has an encoded slash or backslash, which this route refuses."

  public var description: String { rawValue }
}

/// What must be known of a segment to refuse it. A *part* is what lies between slashes when encoded slashes and
/// backslashes count as slashes, since an upstream that decodes before it splits will see it so.
private struct SegmentCheck {
  private var isEmpty = true
  private var inParameters = false
  /// Dots so far when the part's name has nothing but dots; nil once it has anything else.
  private var dotCount: Int? = 0
  /// The octet before this one: to see overlong UTF-8. Raw octets are ASCII, so they lead nothing.
  private var lead: UInt8 = 0

  mutating func add(_ octet: UInt8, isEscaped: Bool) throws(PathRefusal) {
    if isEscaped {
      if octet < 0x20 || octet == 0x7f { throw .encodedControl }
      if SegmentCheck.isOverlong(lead, octet) { throw .overlongEncoding }
    }
    lead = octet

    switch octet {
    case UInt8(ascii: "/"), UInt8(ascii: "\\"):
      try endPart()
      inParameters = false
      dotCount = 0
      isEmpty = false
    case UInt8(ascii: ";"):
      // `/..;/` and `/;x/`: servers that know path parameters cut them off before they resolve dots (RFC 3986 §3.3).
      if isEmpty { throw .emptySegment }
      try endPart()
      inParameters = true
    case UInt8(ascii: ".") where !inParameters:
      isEmpty = false
      if let count = dotCount { dotCount = count + 1 }
    default:
      isEmpty = false
      if !inParameters { dotCount = nil }
    }
  }

  func end(isLast: Bool) throws(PathRefusal) {
    if isEmpty && !isLast { throw .emptySegment }
    try endPart()
  }

  private func endPart() throws(PathRefusal) {
    if !inParameters && (dotCount == 1 || dotCount == 2) { throw .dotSegment }
  }

  /// Source: RFC 3629 §3: lead bytes C0 and C1 never occur; E0 and F0 are followed by A0 and 90 at least. F8 and FC led
  /// five and six bytes once, and some decoders still take them.
  private static func isOverlong(_ lead: UInt8, _ octet: UInt8) -> Bool {
    switch lead {
    case 0xc0, 0xc1: (0x80...0xbf).contains(octet)
    case 0xe0: (0x80...0x9f).contains(octet)
    case 0xf0: (0x80...0x8f).contains(octet)
    case 0xf8: (0x80...0x87).contains(octet)
    case 0xfc: (0x80...0x83).contains(octet)
    default: false
    }
  }
}

extension Span<UInt8> {
  /// The octet that `%XX` at `index` stands for; nil when two hexadecimal digits do not follow.
  func escapedOctet(at index: Int) -> UInt8? {
    guard index + 2 < count, let high = hexadecimalValue(self[index + 1]), let low = hexadecimalValue(self[index + 2])
    else { return nil }
    return high << 4 | low
  }
}

private func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
