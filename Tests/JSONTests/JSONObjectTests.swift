import JSON
import Testing

@Suite("JSON object")
struct JSONObjectTests {
  @Test("Members keep their order; setting replaces in place; nil removes")
  func members() {
    var object: JSONObject = ["b": 1, "a": 2, "c": 3]
    object["a"] = 4
    #expect(object.members.map(\.name) == ["b", "a", "c"])
    object["b"] = nil
    object["b"] = 5
    #expect(object.members.map(\.name) == ["a", "c", "b"])
    object["x"] = nil
    #expect(object["x"] == nil)
    #expect(object["a"] == 4)
    #expect(!object.isEmpty)
  }

  @Test("RFC 8259 §4: objects are equal whatever the order of their members")
  func equality() {
    let object: JSONObject = ["a": 1, "b": [2]]
    #expect(object == ["b": [2], "a": 1])
    #expect(object.hashValue == (["b": [2], "a": 1] as JSONObject).hashValue)
    #expect(object != ["a": 1])
    #expect(object != ["a": 1, "b": [3]])
    #expect(object != ["a": 1, "c": [2]])
    #expect(["a": .null] as JSONObject != [:])
  }

  @Test("A value is seen only as what it is")
  func accessors() {
    #expect(JSON.string("1").integer == nil)
    #expect(JSON.integer(1).bool == nil)
    #expect(JSON.number(1).integer == nil)
    #expect(JSON.null.string == nil)
    #expect((["a", "b"] as JSON).strings == ["a", "b"])
    #expect((["a", 1] as JSON).strings == nil)
    #expect(([] as JSON).strings == [])
    #expect(JSON.string("a").strings == nil)
  }
}
