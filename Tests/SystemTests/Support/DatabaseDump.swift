import Foundation

extension Deployment {
  /// All of the database as SQL text, as a backup would hold it.
  func dump() throws -> String {
    let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").compactMap { Int($0) }
    let newest = try versions.max() ?? { throw Failure(description: "no pg_dump under /usr/lib/postgresql") }()
    let program = URL(fileURLWithPath: "/usr/lib/postgresql/\(newest)/bin/pg_dump")
    let done = try Finished.run(program, [postgres.connectionString(database: database)])
    guard done.status == 0 else { throw Failure(description: "pg_dump: \(done.errors)") }
    return done.output
  }
}
