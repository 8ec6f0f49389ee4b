/// What paths a route serves: `/photos` exactly, `/photos/*` with any one segment, `/photos/**` that and all below.
///
/// `*` stands for one whole, non-empty segment anywhere; `**` only at the end, for the rest of the path, also none. A
/// trailing slash counts. Case counts. Path parameters (`;v=1`) take no part in matching, so `/admin;x` is served by the
/// route of `/admin`, and literals cannot hold one.
public struct PathPattern: Sendable, Hashable, CustomStringConvertible {
  public enum Segment: Sendable, Hashable {
    /// Decoded octets; empty only as the last segment, for a trailing slash.
    case literal([UInt8])
    case anyOne
  }

  /// Without the `**` at the end.
  public let segments: [Segment]
  /// Ends with `**`.
  public let matchesBelow: Bool
  /// As written.
  public let description: String

  public init(_ text: String) throws(PathPatternError) {
    let bytes = Array(text.utf8)
    let canonical: CanonicalPath
    do { canonical = try CanonicalPath(target: bytes.span) } catch { throw .path(error) }
    guard canonical.byteCount == bytes.count else { throw .query }
    guard !canonical.hasEncodedSlash else { throw .path(.encodedSlash) }

    var parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    matchesBelow = parts.last == "**"
    if matchesBelow { parts.removeLast() }
    var segments: [Segment] = []
    for part in parts {
      if part == "*" {
        segments.append(.anyOne)
      } else {
        guard !part.utf8.contains(UInt8(ascii: "*")) else { throw .wildcardInSegment }
        let octets = PathPattern.decode(Array(part.utf8).span)
        guard !octets.contains(UInt8(ascii: ";")) else { throw .parameters }
        segments.append(.literal(octets))
      }
    }
    self.segments = segments
    description = text
  }

  private static func decode(_ segment: Span<UInt8>) -> [UInt8] {
    var octets: [UInt8] = []
    var index = 0
    while index < segment.count {
      let (octet, width) = segment.octet(at: index)
      octets.append(octet)
      index += width
    }
    return octets
  }

  /// Whether this pattern is to be tried before the other. The leftmost difference decides: a literal before `*`, `*`
  /// before `**`; then the longer one.
  public func isMoreSpecific(than other: PathPattern) -> Bool {
    for (mine, theirs) in zip(segments, other.segments) where mine != theirs {
      switch (mine, theirs) {
      case (.literal, .anyOne): return true
      case (.anyOne, .literal): return false
      case (.literal(let mine), .literal(let theirs)): return mine.lexicographicallyPrecedes(theirs)
      case (.anyOne, .anyOne): break
      }
    }
    if segments.count != other.segments.count { return segments.count > other.segments.count }
    return !matchesBelow && other.matchesBelow
  }

  /// Two patterns for the same paths are equal, however they are written.
  public static func == (left: PathPattern, right: PathPattern) -> Bool {
    left.segments == right.segments && left.matchesBelow == right.matchesBelow
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(segments)
    hasher.combine(matchesBelow)
  }
}

public enum PathPatternError: Error, Sendable, Equatable, CustomStringConvertible {
  case path(PathRefusal)
  case query
  case wildcardInSegment
  case parameters

  public var description: String {
    switch self {
    case .path(let refusal): refusal.description
    case .query: "A path pattern has no query."
    case .wildcardInSegment: "\"*\" stands for one whole segment, and \"**\" for the rest of the path at its end."
    case .parameters: "A path pattern has no path parameters (\";\"): they take no part in matching."
    }
  }
}

extension Span<UInt8> {
  /// The octet at `index` of a canonical path, decoded, and how many bytes spell it.
  func octet(at index: Int) -> (octet: UInt8, width: Int) {
    let byte = self[index]
    guard byte == UInt8(ascii: "%"), let octet = escapedOctet(at: index) else { return (byte, 1) }
    return (octet, 3)
  }

  /// Where the segment that begins at `index` ends: at the next slash, or at the end of the path.
  func endOfSegment(from index: Int) -> Int {
    var index = index
    while index < count, self[index] != UInt8(ascii: "/") { index += 1 }
    return index
  }

  /// Compares the segment at `index` (behind its slash) with decoded octets, path parameters aside.
  ///
  /// - Returns: where the segment ends; nil when it differs.
  func matchSegment(at index: Int, _ literal: Span<UInt8>) -> Int? {
    var index = index
    var matched = 0
    while index < count, self[index] != UInt8(ascii: "/") {
      let (octet, width) = octet(at: index)
      if octet == UInt8(ascii: ";") {
        index = endOfSegment(from: index)
        break
      }
      // An encoded slash never equals: literals hold none.
      guard matched < literal.count, literal[matched] == octet else { return nil }
      matched += 1
      index += width
    }
    return matched == literal.count ? index : nil
  }
}
