import Testing

@testable import ReverseProxy

@Suite("Choice among servers")
struct ServerPickerTests {
  @Test("Round robin goes to each in turn, and passes those by that take nothing")
  func inTurn() {
    var picker = ServerPicker(seed: 1)
    var picked: [Int?] = []
    for _ in 0..<6 { picked.append(picker.pick(.roundRobin, of: 3) { $0 == 1 ? nil : 0 }) }
    #expect(picked == [2, 0, 2, 0, 2, 0])
  }

  @Test("Least requests goes to the server with the fewest under way, and to equal ones in turn")
  func least() {
    var picker = ServerPicker(seed: 1)
    #expect(picker.pick(.leastRequests, of: 3) { [4, 1, 2][$0] } == 1)
    var counts = [0, 0, 0]
    for _ in 0..<30 { if let index = picker.pick(.leastRequests, of: 3, load: { _ in 0 }) { counts[index] += 1 } }
    #expect(counts == [10, 10, 10])
  }

  @Test("Nothing is picked where nobody takes a request", arguments: Balance.allCases)
  func none(balance: Balance) {
    var picker = ServerPicker(seed: 1)
    #expect(picker.pick(balance, of: 0) { _ in 0 } == nil)
    #expect(picker.pick(balance, of: 3) { _ in nil } == nil)
    #expect(picker.pick(balance, of: 50) { _ in nil } == nil)
  }

  @Test("Of many, the only one that takes a request is found, whatever the lot says", arguments: Balance.allCases)
  func onlyOne(balance: Balance) {
    var picker = ServerPicker(seed: 7)
    for server in 0..<50 { #expect(picker.pick(balance, of: 50) { $0 == server ? 3 : nil } == server) }
  }

  @Test("Of many, the busiest is never the better of two, and every other one is drawn")
  func betterOfTwo() {
    var picker = ServerPicker(seed: 42)
    var drawn: Set<Int> = []
    for _ in 0..<2_000 { if let index = picker.pick(.leastRequests, of: 20, load: { $0 }) { drawn.insert(index) } }
    #expect(drawn == Set(0..<19))
  }
}
