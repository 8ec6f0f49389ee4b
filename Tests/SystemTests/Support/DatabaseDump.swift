import Foundation

extension Deployment {
  /// All of the database as SQL text, as a backup would hold it.
  func dump() throws -> String { try run("pg_dump", []) }

  /// - Returns: what `psql` prints, without headings.
  @discardableResult
  func sql(_ statement: String) throws -> String {
    try run("psql", ["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement])
  }

  private func run(_ name: String, _ arguments: [String]) throws -> String {
    let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").compactMap { Int($0) }
    let newest = try versions.max() ?? { throw Failure(description: "no \(name) under /usr/lib/postgresql") }()
    let program = URL(fileURLWithPath: "/usr/lib/postgresql/\(newest)/bin/\(name)")
    let done = try Finished.run(program, arguments + [postgres.connectionString(database: database)])
    guard done.status == 0 else { throw Failure(description: "\(name): \(done.errors)") }
    return done.output
  }
}
