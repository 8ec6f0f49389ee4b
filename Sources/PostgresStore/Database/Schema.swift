import Migrations
import PostgresClient

extension Migration {
  /// The schema of this version, step by step.
  public static var schema: [Migration] {
    schemaMigrations.map { Migration(number: $0.number, name: $0.name, sql: $0.sql) }
  }
}
