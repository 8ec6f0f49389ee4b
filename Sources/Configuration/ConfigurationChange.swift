import OAuthCore

/// What a configuration that was read again makes of the one that is served.
public struct ConfigurationChange: Sendable {
  /// What is to be served: the new one, except for what a running process cannot change.
  public let configuration: Configuration
  /// Members of the file that differ and stay as they are until a restart.
  public let needsRestart: [String]
  /// What nobody may go on believing: clients and accounts of the file that were altered or are gone, and credentials of
  /// such providers.
  public let changes: [Change]
  /// Accounts that are gone: their sessions and grants are to be ended.
  public let endedAccounts: [Subject]
  /// Accounts with another password: whoever knew the old one may be signed in, so their sessions are to be ended.
  public let signedOutAccounts: [Subject]

  /// - Parameters:
  ///   - old: what is served.
  ///   - new: what the file says now.
  public init(from old: Configuration, to new: Configuration) {
    var kept = new
    var needsRestart: [String] = []
    func keep<Value: Equatable>(_ member: WritableKeyPath<Configuration, Value>, _ name: String) {
      guard kept[keyPath: member] != old[keyPath: member] else { return }
      kept[keyPath: member] = old[keyPath: member]
      needsRestart.append(name)
    }
    // What the process is: sockets, the name in its tokens, what it seals with.
    keep(\.issuer, "issuer")
    keep(\.listeners, "listen")
    keep(\.admin, "admin")
    keep(\.database, "database")
    keep(\.keys, "keys")

    let clients = Self.altered(old.clients, new.clients, by: \.id)
    let accounts = Self.altered(old.accounts, new.accounts, by: \.subject)
    let providers = Self.altered(old.providers, new.providers, by: \.id)
    configuration = kept
    self.needsRestart = needsRestart
    changes = clients.map { .clientChanged($0) } + accounts.map { .accountChanged($0) }
      + providers.map { .credentialChanged(provider: $0.rawValue) }
    let before = Set(old.accounts.map(\.subject))
    let after = Set(new.accounts.map(\.subject))
    endedAccounts = accounts.filter { !after.contains($0) }
    signedOutAccounts = accounts.filter { before.contains($0) && after.contains($0) }
  }

  /// Those of `old` that are gone from `new` or differ there, and those that only `new` has: one of the database may
  /// have had the name.
  private static func altered<Value: Equatable, Name: Hashable>(
    _ old: [Value], _ new: [Value], by name: KeyPath<Value, Name>
  ) -> [Name] {
    let before = Dictionary(old.map { ($0[keyPath: name], $0) }, uniquingKeysWith: { first, _ in first })
    let after = Dictionary(new.map { ($0[keyPath: name], $0) }, uniquingKeysWith: { first, _ in first })
    let names = old.map { $0[keyPath: name] } + new.map { $0[keyPath: name] }.filter { before[$0] == nil }
    return names.filter { before[$0] != after[$0] }
  }
}
