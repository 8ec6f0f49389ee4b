import PostgresClient
import Testing

@Suite("Errors")
struct PostgresErrorTests {
  private static let marker = "s3cret-value"

  private func failure(_ sql: String, _ parameters: [PostgresValue]) async throws -> PostgresError? {
    try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id text PRIMARY KEY, CHECK (id <> 'x'))"))
      _ = try await pool.query(PreparedStatement("INSERT INTO item VALUES ($1)"), [.text(Self.marker)])
      do throws(PostgresError) {
        _ = try await pool.query(PreparedStatement(sql), parameters)
        return nil
      } catch { return error }
    }
  }

  @Test(
    "no description holds a parameter's value",
    arguments: [
      ("INSERT INTO item VALUES ($1)", "23505"),
      ("SELECT $1::int", "22P02"),
      ("SELECT $1::jsonb", "22P02"),
      ("SELECT $1::timestamptz", "22007"),
    ])
  func values(_ sql: String, _ sqlState: String) async throws {
    let error = try #require(try await failure(sql, [.text(Self.marker)]))
    #expect(error.sqlState == sqlState)
    #expect(!error.description.contains(Self.marker))
    #expect(!error.debugDescription.contains(Self.marker))
    #expect(!String(reflecting: error).contains(Self.marker))
  }

  @Test("the log gets the constraint, the caller a general sentence")
  func audience() async throws {
    let error = try #require(try await failure("INSERT INTO item VALUES ('x')", []))
    #expect(error.description == "the database refused the statement (SQLSTATE 23514)")
    #expect(error.debugDescription.contains("item_id_check"))
  }

  @Test("a configuration prints without its connection string")
  func configuration() {
    let configuration = PostgresConfiguration(connectionString: "postgresql://u:\(Self.marker)@h/d")
    var dumped = ""
    dump(configuration, to: &dumped)
    #expect(!dumped.contains(Self.marker))
    #expect(!"\(configuration)".contains(Self.marker))
    #expect(!String(reflecting: configuration).contains(Self.marker))
  }
}
