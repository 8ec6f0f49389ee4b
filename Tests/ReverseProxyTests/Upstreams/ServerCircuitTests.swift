import ReverseProxy
import Testing

private let second: Int64 = 1_000_000_000

@Suite("Ejection of servers")
struct ServerCircuitTests {
  private static let rule = {
    var rule = EjectionRule()
    rule.after = 3
    rule.period = .seconds(10)
    return rule
  }()

  private static func ejected(at now: Int64) -> ServerCircuit {
    var circuit = ServerCircuit()
    for _ in 0..<3 { _ = circuit.fail(at: now, rule: rule, mayEject: true) }
    return circuit
  }

  @Test("A server is left out after as many failures in a row as the rule says, not before")
  func ejects() {
    var circuit = ServerCircuit()
    #expect(circuit.fail(at: 0, rule: Self.rule, mayEject: true) == false)
    #expect(circuit.fail(at: 0, rule: Self.rule, mayEject: true) == false)
    #expect(circuit.admission(at: 0) == .admitted && !circuit.isFlawless)
    #expect(circuit.fail(at: 5, rule: Self.rule, mayEject: true) == true)
    #expect(circuit.admission(at: 6) == .refused(until: 5 + 10 * second))
    #expect(circuit.reopening == 5 + 10 * second)
  }

  @Test("One good answer forgets the failures before it")
  func forgets() {
    var circuit = ServerCircuit()
    for _ in 0..<20 {
      _ = circuit.fail(at: 0, rule: Self.rule, mayEject: true)
      _ = circuit.fail(at: 0, rule: Self.rule, mayEject: true)
      circuit.succeed(at: 0)
      #expect(circuit.isFlawless)
    }
  }

  @Test("While enough others are left out a server stays; it follows with its next failure once it may")
  func share() {
    var circuit = ServerCircuit()
    for _ in 0..<100 { #expect(circuit.fail(at: 0, rule: Self.rule, mayEject: false) == false) }
    #expect(circuit.admission(at: 0) == .admitted)
    #expect(circuit.fail(at: 0, rule: Self.rule, mayEject: true) == true)
  }

  @Test("After its time one request tries, the others keep away until it is answered well")
  func trial() {
    var circuit = Self.ejected(at: 0)
    #expect(circuit.admission(at: 10 * second - 1) == .refused(until: 10 * second))
    #expect(circuit.admission(at: 10 * second) == .trial)
    circuit.begin(at: 10 * second)
    #expect(circuit.state == .halfOpen)
    #expect(circuit.admission(at: 11 * second) == .refused(until: nil))
    circuit.succeed(at: 11 * second)
    circuit.end(at: 12 * second)
    #expect(circuit.isFlawless && circuit.admission(at: 12 * second) == .admitted)
  }

  @Test("A trial that fails needs no leave, and makes the time longer, up to a limit")
  func grows() {
    var circuit = Self.ejected(at: 0)
    var now: Int64 = 0
    var periods: [Int64] = []
    for _ in 0..<40 {
      guard let reopening = circuit.reopening else { break }
      periods.append((reopening - now) / second)
      now = reopening
      circuit.begin(at: now)
      #expect(circuit.fail(at: now, rule: Self.rule, mayEject: false) == true)
    }
    #expect(periods.prefix(4) == [10, 20, 30, 40])
    #expect(periods.last == 300)
  }

  @Test("A trial without a result is followed by another")
  func inconclusive() {
    var circuit = Self.ejected(at: 0)
    circuit.begin(at: 10 * second)
    circuit.end(at: 11 * second)
    #expect(circuit.admission(at: 11 * second) == .trial)
  }

  @Test("Whoever fails again soon is left out for longer; whoever held out begins anew")
  func memory() {
    var circuit = Self.ejected(at: 0)
    circuit.begin(at: 10 * second)
    circuit.succeed(at: 10 * second)
    for _ in 0..<3 { _ = circuit.fail(at: 15 * second, rule: Self.rule, mayEject: true) }
    #expect(circuit.reopening == (15 + 20) * second)
    circuit.begin(at: 35 * second)
    circuit.succeed(at: 35 * second)
    for _ in 0..<3 { _ = circuit.fail(at: 55 * second, rule: Self.rule, mayEject: true) }
    #expect(circuit.reopening == (55 + 10) * second)
  }

  @Test("While it is left out, late failures change nothing; a good answer brings it back")
  func whileOpen() {
    var circuit = Self.ejected(at: 0)
    #expect(circuit.fail(at: second, rule: Self.rule, mayEject: true) == false)
    #expect(circuit.reopening == 10 * second)
    circuit.succeed(at: 2 * second)
    #expect(circuit.admission(at: 2 * second) == .admitted)
  }

  @Test("A share of the servers may be left out: one of several at least, never all below 100 %", arguments: [
    (share: 50, servers: 1, most: 0), (50, 2, 1), (50, 3, 1), (50, 4, 2), (50, 9, 4), (1, 2, 1), (1, 1, 0), (99, 2, 1),
    (99, 100, 99), (100, 1, 1), (100, 3, 3), (0, 5, 0),
  ])
  func shares(share: Int, servers: Int, most: Int) {
    var rule = EjectionRule()
    rule.share = share
    #expect(rule.ejectedCountMax(of: servers) == most)
    #expect(rule.yieldsWhenAllAreGone == (share < 100))
  }
}
