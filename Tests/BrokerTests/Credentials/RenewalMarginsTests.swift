import Testing

@testable import Broker

struct RenewalMarginsTests {
  @Test(
    "DESIGN §5: the soft margin is a tenth of the life, between 60 s and 15 min, never over half the life",
    arguments: [
      (10, 5.0, 2.5), (60, 30, 10), (100, 50, 10), (300, 60, 10), (600, 60, 10), (1200, 120, 10), (3600, 360, 10),
      (9000, 900, 10), (86_400, 900, 10),
    ] as [(Int64, Double, Double)])
  func table(lifetime: Int64, soft: Double, hard: Double) {
    let margins = RenewalMargins.margins(lifetime: .seconds(lifetime), jitter: 0)
    #expect(margins.soft == .seconds(soft))
    #expect(margins.hard == .seconds(hard))
  }

  @Test("Jitter takes up to a fifth of the soft margin and never brings it below the hard one")
  func jitter() {
    for lifetime in 1...5000 {
      for jitter in [0, 0.5, 0.999_999] {
        let margins = RenewalMargins.margins(lifetime: .seconds(lifetime), jitter: jitter)
        #expect(margins.soft > margins.hard)
        #expect(margins.soft <= .seconds(lifetime) / 2)
      }
    }
    #expect(RenewalMargins.margins(lifetime: .seconds(3600), jitter: 0.5).soft == .seconds(324))
  }
}
