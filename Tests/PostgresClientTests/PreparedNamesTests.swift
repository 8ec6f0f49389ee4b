import Testing

@testable import PostgresClient

@Suite("Names of prepared statements")
struct PreparedNamesTests {
  private let statement = PreparedStatement("SELECT $1")

  @Test("what was added is found by equal SQL and types, and an untyped NULL fits every type")
  func find() {
    var names = PreparedNames()
    #expect(names.find(statement, [.int64(1)])?.name == nil)
    let variant = names.add(statement, [.int64(1)])
    #expect(names.find(PreparedStatement("SELECT $1"), [.int64(2)])?.name == variant.name)
    #expect(names.find(statement, [.null])?.name == variant.name)
    #expect(names.find(statement, [.int32(1)])?.name == nil)
    #expect(names.find(statement, [])?.name == nil)
    #expect(names.find(PreparedStatement("SELECT $1 "), [.int64(1)])?.name == nil)
  }

  @Test("a name is not used again after it was forgotten")
  func forget() {
    var names = PreparedNames()
    let first = names.add(statement, [])
    names.forget(statement, name: first.name)
    #expect(names.find(statement, [])?.name == nil)
    #expect(names.add(statement, []).name != first.name)
  }

  @Test("beyond the bound statements have no name and are not remembered")
  func bound() {
    var names = PreparedNames()
    for number in 0..<PreparedNames.variantCountMax { _ = names.add(PreparedStatement("SELECT \(number)"), []) }
    #expect(names.add(statement, []).name.isEmpty)
    #expect(names.find(statement, [])?.name == nil)
  }
}
