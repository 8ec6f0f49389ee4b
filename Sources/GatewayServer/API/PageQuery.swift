import HTTPWire
import OAuthCore

/// The query of a list: `limit` is the size of a page, `cursor` what the page before ended with; every name once, and none
/// that the list does not know.
struct PageQuery {
  static let countDefault = 50
  static let countMax = 500

  let count: Int
  let last: Locator?
  private let form: Form

  /// - Parameter filters: what the list can be narrowed down by.
  init(_ request: HTTPRequest, filters: Set<String> = []) throws(APIRefusal) {
    guard let form = try? FormDecoder.decode(Array((request.query ?? "").utf8)), form.repeated(except: { _ in false }) == nil
    else { throw .malformed("the query is not one that has a single reading") }
    for pair in form.pairs where !filters.union(["limit", "cursor"]).contains(pair.name) {
      throw .malformed("there is no parameter \(pair.name)")
    }
    guard let count = form["limit"].map({ Int($0) }) ?? Self.countDefault, (1...Self.countMax).contains(count) else {
      throw .malformed("limit is a number from 1 to \(Self.countMax)")
    }
    last = form["cursor"].flatMap { Locator(text: $0) }
    guard form["cursor"] == nil || last != nil else { throw .malformed("this cursor came from no page") }
    self.count = count
    self.form = form
  }

  subscript(filter: String) -> String? { form[filter] }
}
