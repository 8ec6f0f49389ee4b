/// One step of the schema, embedded in the binary so that program and schema travel together.
public struct SchemaMigration: Sendable {
  /// Steps are applied in ascending order, each once, and never edited afterwards: the database keeps their checksums.
  public let number: Int
  /// The name of its file.
  public let name: String
  public let sql: String
}

/// Every step, in order. A new one is a new file of this folder, named in `Package.swift` and listed here.
public let schemaMigrations: [SchemaMigration] = [
  SchemaMigration(number: 1, name: "0001_initial.sql", sql: text(PackageResources._001_initial_sql)),
  SchemaMigration(number: 2, name: "0002_connections.sql", sql: text(PackageResources._002_connections_sql)),
  SchemaMigration(number: 3, name: "0003_refresh.sql", sql: text(PackageResources._003_refresh_sql)),
  SchemaMigration(number: 4, name: "0004_key_checks.sql", sql: text(PackageResources._004_key_checks_sql)),
  SchemaMigration(
    number: 5, name: "0005_connect_tickets.sql", sql: text(PackageResources._005_connect_tickets_sql)),
  SchemaMigration(number: 6, name: "0006_webhooks.sql", sql: text(PackageResources._006_webhooks_sql)),
]

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
