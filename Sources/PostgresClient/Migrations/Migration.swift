/// One numbered step of the schema. Once released, its SQL never changes again.
public struct Migration: Sendable, Hashable {
  /// Its place in the order, from 1, without gaps.
  public let number: Int
  /// The file's name, such as `0001_initial.sql`.
  public let name: String
  /// Statements of one transaction; neither `BEGIN` nor `COMMIT` nor anything that refuses a transaction.
  public let sql: String

  public init(number: Int, name: String, sql: String) {
    self.number = number
    self.name = name
    self.sql = sql
  }
}
