/// How a route changes the path: the upstream sees `addPrefix` + path without `stripPrefix`.
public struct PathRewrite: Sendable, Hashable {
  /// Decoded segments to cut from the front of the path.
  private let strippedSegments: [[UInt8]]
  /// Bytes to put in front: empty, or `/` and segments without a slash at the end.
  public let addedPrefix: [UInt8]
  public let stripPrefix: String
  public let addPrefix: String

  public static let identity = PathRewrite()

  private init() {
    strippedSegments = []
    addedPrefix = []
    stripPrefix = ""
    addPrefix = ""
  }

  /// - Parameters:
  ///   - stripPrefix: literal segments that every path of the pattern begins with; empty: nothing is cut.
  ///   - addPrefix: literal segments; empty: nothing is added.
  public init(stripPrefix: String = "", addPrefix: String = "", for pattern: PathPattern) throws(PathRewriteError) {
    var strippedSegments: [[UInt8]] = []
    if !PathRewrite.withoutFinalSlash(stripPrefix).isEmpty {
      for segment in try PathRewrite.literal(PathRewrite.withoutFinalSlash(stripPrefix)).segments {
        if case .literal(let octets) = segment { strippedSegments.append(octets) }
      }
      let isPrefix = strippedSegments.count <= pattern.segments.count
        && zip(strippedSegments, pattern.segments).allSatisfy { .literal($0) == $1 }
      guard isPrefix else { throw .notAPrefix(of: pattern.description) }
    }
    let added = PathRewrite.withoutFinalSlash(addPrefix)
    if !added.isEmpty { _ = try PathRewrite.literal(added) }
    self.strippedSegments = strippedSegments
    addedPrefix = Array(added.utf8)
    self.stripPrefix = stripPrefix
    self.addPrefix = addPrefix
  }

  /// How many bytes to cut from the front of a path that the pattern matched.
  ///
  /// The forwarded path is `addedPrefix` and what remains; `/` when both are empty.
  public func cutCount(path: Span<UInt8>) -> Int {
    var index = 0
    for segment in strippedSegments {
      guard index < path.count, let end = path.matchSegment(at: index + 1, segment.span) else { return index }
      index = end
    }
    return index
  }

  /// The whole path as the upstream sees it; the engine writes the same from `cutCount` without building it.
  public func rewritten(_ path: Span<UInt8>) -> [UInt8] {
    var result = addedPrefix
    for index in cutCount(path: path)..<path.count { result.append(path[index]) }
    return result.isEmpty ? [UInt8(ascii: "/")] : result
  }

  private static func withoutFinalSlash(_ text: String) -> String {
    text.hasSuffix("/") ? String(text.dropLast()) : text
  }

  private static func literal(_ text: String) throws(PathRewriteError) -> PathPattern {
    let pattern: PathPattern
    do { pattern = try PathPattern(text) } catch { throw .pattern(error) }
    guard !pattern.matchesBelow, !pattern.segments.contains(.anyOne) else { throw .wildcard }
    return pattern
  }
}

public enum PathRewriteError: Error, Sendable, Equatable, CustomStringConvertible {
  case pattern(PathPatternError)
  case wildcard
  case notAPrefix(of: String)

  public var description: String {
    switch self {
    case .pattern(let error): error.description
    case .wildcard: "A prefix has no wildcards."
    case .notAPrefix(let pattern): "Not every path of \"\(pattern)\" begins with this prefix."
    }
  }
}
