/// Finds the route of a request. Immutable; a look-up allocates nothing and counts no references.
///
/// A path belongs to its most specific pattern: one with the request's host before one for any host, then as
/// `PathPattern.isMoreSpecific` orders. Only the routes of that pattern are asked for the method, and one that names the
/// method comes before one that takes any. So a stricter route is never passed by through a method it does not list.
/// Postern's own endpoints come before every route.
///
/// A look-up compares the path with one pattern after another, which end at the first differing byte: about the cost of
/// one comparison per pattern of the host.
public struct RouteTable: Sendable {
  /// More routes than this are refused; look-up time grows with them.
  public static let routeCountMax = 1000

  public let routes: [Route]

  // Everything a look-up reads is trivial and flat, so that it counts no references.
  private let shapes: [Shape]
  private let segments: [FlatSegment]
  private let choices: [Choice]
  private let octets: [UInt8]
  private let allows: [String]

  /// - Throws: every conflict found, in the order of the routes.
  public init(_ routes: [Route]) throws(RouteConflicts) {
    let conflicts = RouteConflicts.find(in: routes)
    guard conflicts.isEmpty else { throw RouteConflicts(conflicts: conflicts) }

    var builder = Builder()
    for pattern in ReservedPaths.patterns { builder.addShape(host: nil, pattern: pattern, choices: [], allow: "") }
    let reservedCount = builder.shapes.count
    for group in RouteTable.grouped(routes) {
      builder.addShape(
        host: group.host, pattern: group.pattern, choices: RouteTable.choices(group.indices, routes),
        allow: RouteTable.allow(group.indices, routes))
    }
    self.routes = routes
    shapes = builder.shapes
    segments = builder.segments
    choices = builder.choices
    octets = builder.octets
    allows = builder.allows
    reservedShapeCount = reservedCount
  }

  private let reservedShapeCount: Int

  /// - Parameters:
  ///   - host: the `Host` field or `:authority` as received; its port takes no part.
  ///   - path: the path of a `CanonicalPath`, without query.
  public func match(method: Span<UInt8>, host: Span<UInt8>, path: Span<UInt8>) -> RouteMatch {
    let hostCount = RouteTable.hostNameCount(host)
    let shapes = shapes.span
    for index in shapes.indices {
      let shape = shapes[index]
      guard shape.hostCount == 0 || isHost(of: shape, host, hostCount), isPath(of: shape, path) else { continue }
      return index < reservedShapeCount ? .ownEndpoint : choose(method, of: shape, at: index)
    }
    return .notFound
  }

  private func choose(_ method: Span<UInt8>, of shape: Shape, at index: Int) -> RouteMatch {
    guard !RequestMethod.isRefused(method) else { return .methodNotAllowed(allow: allows[index]) }
    let choices = choices.span
    let octets = octets.span
    for position in shape.choices {
      let choice = choices[position]
      if choice.methodCount == 0 || method.isEqual(to: octets, from: choice.methodStart, count: choice.methodCount) {
        return .route(choice.route)
      }
    }
    return .methodNotAllowed(allow: allows[index])
  }

  private func isHost(of shape: Shape, _ host: Span<UInt8>, _ count: Int) -> Bool {
    guard count == shape.hostCount else { return false }
    let octets = octets.span
    for index in 0..<count where asciiLowercased(host[index]) != octets[shape.hostStart + index] { return false }
    return true
  }

  private func isPath(of shape: Shape, _ path: Span<UInt8>) -> Bool {
    let segments = segments.span
    let octets = octets.span
    var index = 0
    for position in shape.segments {
      guard index < path.count else { return false }
      let segment = segments[position]
      if segment.isAnyOne {
        let end = path.endOfSegment(from: index + 1)
        guard end > index + 1 else { return false }
        index = end
      } else {
        guard let end = path.matchSegment(at: index + 1, octets.extracting(segment.start..<segment.end)) else {
          return false
        }
        index = end
      }
    }
    return shape.matchesBelow || index == path.count
  }

  /// Bytes of a `Host` value that name the host: without port and without the dot of a fully qualified name.
  private static func hostNameCount(_ host: Span<UInt8>) -> Int {
    var count = 0
    var isLiteral = false
    while count < host.count {
      if host[count] == UInt8(ascii: "[") { isLiteral = true }
      if host[count] == UInt8(ascii: "]") { isLiteral = false }
      if host[count] == UInt8(ascii: ":"), !isLiteral { break }
      count += 1
    }
    return count > 0 && host[count - 1] == UInt8(ascii: ".") ? count - 1 : count
  }
}

public enum RouteMatch: Sendable, Equatable {
  /// Index into `RouteTable.routes`.
  case route(Int)
  /// The path is Postern's own, whether or not an endpoint is there.
  case ownEndpoint
  case notFound
  /// The value of `Allow`. Source: RFC 9110 §10.2.1, §15.5.6.
  case methodNotAllowed(allow: String)
}

// MARK: - Building

extension RouteTable {
  /// A host and a pattern, and the routes that share them.
  private struct Shape {
    var hostStart: Int
    /// 0: any host.
    var hostCount: Int
    var segments: Range<Int>
    var matchesBelow: Bool
    var choices: Range<Int>
  }

  private struct FlatSegment {
    var isAnyOne: Bool
    var start: Int
    var end: Int
  }

  private struct Choice {
    var methodStart: Int
    /// 0: any method.
    var methodCount: Int
    var route: Int
  }

  private struct Group {
    var host: String?
    var pattern: PathPattern
    var indices: [Int]
  }

  private static func grouped(_ routes: [Route]) -> [Group] {
    var groups: [Group] = []
    for (index, route) in routes.enumerated() {
      if let known = groups.firstIndex(where: { $0.host == route.host && $0.pattern == route.pattern }) {
        groups[known].indices.append(index)
      } else {
        groups.append(Group(host: route.host, pattern: route.pattern, indices: [index]))
      }
    }
    return groups.sorted { left, right in
      if (left.host == nil) != (right.host == nil) { return left.host != nil }
      if left.pattern != right.pattern { return left.pattern.isMoreSpecific(than: right.pattern) }
      return (left.host ?? "") < (right.host ?? "")
    }
  }

  /// Methods and their routes: named methods first, then what `GET` brings with it, then any.
  private static func choices(_ indices: [Int], _ routes: [Route]) -> [(method: RequestMethod?, route: Int)] {
    var choices: [(method: RequestMethod?, route: Int)] = []
    for index in indices { for method in routes[index].methods { choices.append((method, index)) } }
    if let get = choices.first(where: { $0.method == .get }), !choices.contains(where: { $0.method == .head }) {
      choices.append((.head, get.route))
    }
    for index in indices where routes[index].methods.isEmpty { choices.append((nil, index)) }
    return choices
  }

  private static func allow(_ indices: [Int], _ routes: [Route]) -> String {
    let methods = choices(indices, routes).flatMap { $0.method.map { [$0] } ?? RequestMethod.common }
    return Set(methods.map(\.rawValue)).sorted().joined(separator: ", ")
  }

  private struct Builder {
    var shapes: [Shape] = []
    var segments: [FlatSegment] = []
    var choices: [Choice] = []
    var octets: [UInt8] = []
    var allows: [String] = []

    mutating func addShape(
      host: String?, pattern: PathPattern, choices new: [(method: RequestMethod?, route: Int)], allow: String
    ) {
      let hostStart = octets.count
      octets += (host ?? "").utf8
      let hostCount = octets.count - hostStart
      let firstSegment = segments.count
      for segment in pattern.segments {
        switch segment {
        case .anyOne: segments.append(FlatSegment(isAnyOne: true, start: 0, end: 0))
        case .literal(let literal):
          segments.append(FlatSegment(isAnyOne: false, start: octets.count, end: octets.count + literal.count))
          octets += literal
        }
      }
      let firstChoice = choices.count
      for (method, route) in new {
        let name = Array((method?.rawValue ?? "").utf8)
        choices.append(Choice(methodStart: octets.count, methodCount: name.count, route: route))
        octets += name
      }
      shapes.append(
        Shape(
          hostStart: hostStart, hostCount: hostCount, segments: firstSegment..<segments.count,
          matchesBelow: pattern.matchesBelow, choices: firstChoice..<choices.count))
      allows.append(allow)
    }
  }
}

extension Span<UInt8> {
  func isEqual(to other: Span<UInt8>, from start: Int, count otherCount: Int) -> Bool {
    guard count == otherCount else { return false }
    for index in indices where self[index] != other[start + index] { return false }
    return true
  }
}

@inline(__always)
func asciiLowercased(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
