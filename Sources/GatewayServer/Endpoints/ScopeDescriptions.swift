import OAuthCore

/// What each scope means, in the words of the configuration.
public struct ScopeDescriptions: Sendable {
  private let meanings: [Scope: String]

  public init(_ meanings: [Scope: String]) { self.meanings = meanings }

  func lines(_ scopes: ScopeSet) -> [ScopeLine] {
    scopes.scopes.map { scope in
      guard let meaning = meanings[scope] else { return ScopeLine(meaning: scope.rawValue, scope: nil) }
      return ScopeLine(meaning: meaning, scope: scope.rawValue)
    }
  }
}
