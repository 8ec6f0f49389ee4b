/// Why a private cluster does not run, in one sentence that says what to do.
public struct LocalPostgresError: Error, CustomStringConvertible, Sendable {
  public let description: String

  init(_ description: String) { self.description = description }
}
