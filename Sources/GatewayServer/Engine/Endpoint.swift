import HTTPWire

/// One of Postern's own endpoints. Called on the loop of the connection, with the body read; every step of it runs there.
public protocol Endpoint: Sendable {
  func respond(to request: HTTPRequest) async -> HTTPResponse
}

/// Postern's own endpoints by path.
public struct EndpointTable: Sendable {
  public struct Entry: Sendable {
    /// Absolute path, as it is sent.
    public var path: String
    /// Whether everything below `path` is served, too.
    public var servesBelow: Bool
    /// Longer request bodies are answered 413.
    public var bodyBytesMax: Int
    public var endpoint: any Endpoint
  }

  /// Forms and JSON documents are far smaller.
  public static let bodyBytesMaxDefault = 64 << 10

  private var entries: [(path: [UInt8], entry: Entry)] = []

  public init() {}

  public mutating func add(
    _ path: String, servesBelow: Bool = false, bodyBytesMax: Int = bodyBytesMaxDefault, _ endpoint: any Endpoint
  ) {
    let entry = Entry(path: path, servesBelow: servesBelow, bodyBytesMax: bodyBytesMax, endpoint: endpoint)
    precondition(!entries.contains { $0.entry.path == path }, "two endpoints at \(path)")
    entries.append((Array(path.utf8), entry))
    // Longer paths first, so that the most specific one wins.
    entries.sort { $0.path.count > $1.path.count }
  }

  func entry(for path: Span<UInt8>) -> Entry? {
    for (name, entry) in entries {
      guard path.count >= name.count, path.starts(with: name) else { continue }
      if path.count == name.count { return entry }
      let isBelow = path[name.count] == UInt8(ascii: "/") || name.last == UInt8(ascii: "/")
      if entry.servesBelow, isBelow { return entry }
    }
    return nil
  }
}

extension Span where Element == UInt8 {
  fileprivate func starts(with name: [UInt8]) -> Bool {
    for index in name.indices where self[index] != name[index] { return false }
    return true
  }
}
