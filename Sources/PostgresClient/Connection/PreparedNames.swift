import CLibPQ

/// What one connection has prepared: for each statement the names and parameter types of its variants.
///
/// One SQL text has several variants when callers pass different parameter types; an untyped NULL fits every variant.
struct PreparedNames {
  /// Beyond these a statement is parsed each time it runs, as the server's unnamed statement. SQL is constant in a program that
  /// is right, so few ever have more than a hundred.
  static let variantCountMax = 1024

  struct Variant {
    let statement: PreparedStatement
    /// Empty for the server's unnamed statement.
    let name: String
    let types: [Oid]

    func fits(_ statement: PreparedStatement, _ parameters: [PostgresValue]) -> Bool {
      guard self.statement === statement || self.statement.sql == statement.sql, types.count == parameters.count else {
        return false
      }
      for (type, parameter) in zip(types, parameters) {
        let wanted = parameter.type
        if wanted != 0, wanted != type { return false }
      }
      return true
    }
  }

  private var variants: [UInt64: [Variant]] = [:]
  /// Never reused on a connection, so that a forgotten name cannot clash with its successor.
  private var lastNumber = 0

  /// - Returns: nil when it must be prepared first.
  func find(_ statement: PreparedStatement, _ parameters: [PostgresValue]) -> Variant? {
    variants[statement.key]?.first { $0.fits(statement, parameters) }
  }

  mutating func add(_ statement: PreparedStatement, _ parameters: [PostgresValue]) -> Variant {
    let types = parameters.map(\.type)
    guard lastNumber < Self.variantCountMax else { return Variant(statement: statement, name: "", types: types) }
    lastNumber += 1
    let variant = Variant(statement: statement, name: "\(statement.namePrefix)_\(lastNumber)", types: types)
    variants[statement.key, default: []].append(variant)
    return variant
  }

  mutating func forget(_ statement: PreparedStatement, name: String) {
    variants[statement.key]?.removeAll { $0.name == name }
  }
}
