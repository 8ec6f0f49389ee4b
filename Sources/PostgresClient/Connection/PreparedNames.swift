import CLibPQ

/// What one connection has prepared: for each statement the names and parameter types of its variants.
///
/// One SQL text has several variants when callers pass different parameter types; an untyped NULL fits every variant.
struct PreparedNames {
  struct Variant {
    let name: String
    let types: [Oid]

    func fits(_ parameters: [PostgresValue]) -> Bool {
      guard types.count == parameters.count else { return false }
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

  func find(_ statement: PreparedStatement, _ parameters: [PostgresValue]) -> Variant? {
    variants[statement.key]?.first { $0.fits(parameters) }
  }

  mutating func add(_ statement: PreparedStatement, _ parameters: [PostgresValue]) -> Variant {
    lastNumber += 1
    let variant = Variant(name: "\(statement.namePrefix)_\(lastNumber)", types: parameters.map(\.type))
    variants[statement.key, default: []].append(variant)
    return variant
  }

  mutating func forget(_ statement: PreparedStatement, name: String) {
    variants[statement.key]?.removeAll { $0.name == name }
  }
}
