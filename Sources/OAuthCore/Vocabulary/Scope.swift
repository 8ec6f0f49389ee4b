/// One scope token. Source: RFC 6749 §3.3, `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
public struct Scope: Sendable, Hashable, CustomStringConvertible {
  public let rawValue: String

  public init?(_ rawValue: String) {
    let isLegal =
      !rawValue.isEmpty
      && rawValue.utf8.allSatisfy { byte in
        byte == 0x21 || (0x23...0x5b).contains(byte) || (0x5d...0x7e).contains(byte)
      }
    guard isLegal else { return nil }
    self.rawValue = rawValue
  }

  public var description: String { rawValue }
}

/// A set of scopes that keeps the order it was written in.
public struct ScopeSet: Sendable, Hashable, CustomStringConvertible, ExpressibleByArrayLiteral {
  public private(set) var scopes: [Scope] = []

  public init() {}
  public init(_ scopes: some Sequence<Scope>) {
    for scope in scopes where !self.scopes.contains(scope) { self.scopes.append(scope) }
  }

  /// For scopes written in source code.
  public init(arrayLiteral elements: String...) {
    self.init(
      elements.map { text in
        guard let scope = Scope(text) else { preconditionFailure("not a scope: \(text)") }
        return scope
      })
  }

  /// - Parameter parameter: scopes separated by single spaces, as in a `scope` parameter; nil when a token is not legal.
  public init?(parameter: String) {
    var found: [Scope] = []
    for part in parameter.split(separator: " ", omittingEmptySubsequences: false) {
      guard let scope = Scope(String(part)) else { return nil }
      found.append(scope)
    }
    self.init(found)
  }

  public var isEmpty: Bool { scopes.isEmpty }
  public func contains(_ scope: Scope) -> Bool { scopes.contains(scope) }
  public func isSubset(of other: ScopeSet) -> Bool { scopes.allSatisfy(other.contains) }
  public func intersection(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.filter(other.contains)) }
  public func union(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes + other.scopes) }

  /// Separated by spaces, as in a `scope` parameter.
  public var description: String { scopes.map(\.rawValue).joined(separator: " ") }
}
