import ReverseProxy
import Testing

@Suite("Health checks")
struct ServerHealthTests {
  private static let rule = {
    var rule = HealthCheck(path: "/healthz")
    rule.healthyAfter = 2
    rule.unhealthyAfter = 3
    return rule
  }()

  @Test("Answers in a row decide, and a contrary one begins the count anew")
  func flips() {
    var health = ServerHealth()
    var flips: [Int] = []
    var course: [Bool] = []
    let answers = [false, false, true, false, false, false, false, true, false, true, true, true]
    for (number, isGood) in answers.enumerated() {
      if health.note(isGood: isGood, rule: Self.rule) { flips.append(number) }
      course.append(health.isHealthy)
    }
    #expect(flips == [5, 10])
    #expect(course == [true, true, true, true, true, false, false, false, false, false, true, true])
  }

  @Test("2xx is good unless other codes are named")
  func expected() {
    var rule = Self.rule
    #expect(rule.isGood(200) && rule.isGood(204) && !rule.isGood(199) && !rule.isGood(301) && !rule.isGood(503))
    rule.expected = [200...200, 401...403]
    #expect(rule.isGood(200) && !rule.isGood(204) && rule.isGood(402))
  }

  @Test("Pauses differ by lot, by a tenth at most; the first one is short")
  func pauses() {
    var rule = Self.rule
    rule.interval = .seconds(10)
    #expect(rule.pause(lot: 0) == .seconds(9))
    #expect(rule.pause(lot: 1) <= .seconds(11) && rule.pause(lot: 1) > .seconds(10))
    #expect(rule.firstPause(lot: 0) == .zero && rule.firstPause(lot: 1) == .seconds(1))
  }
}
