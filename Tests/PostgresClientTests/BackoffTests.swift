import Testing

@testable import PostgresClient

@Suite("Back-off")
struct BackoffTests {
  @Test("delays double up to the maximum and stay within half of it")
  func grows() {
    var backoff = Backoff()
    var random = SystemRandomNumberGenerator()
    var ceiling = Backoff.first
    for _ in 0..<12 {
      let delay = backoff.next(using: &random)
      #expect(delay <= ceiling)
      #expect(delay >= ceiling / 2)
      ceiling = min(ceiling * 2, Backoff.max)
    }
  }

  @Test("success starts the delays over")
  func resets() {
    var backoff = Backoff()
    var random = SystemRandomNumberGenerator()
    for _ in 0..<12 { _ = backoff.next(using: &random) }
    backoff.reset()
    #expect(backoff.next(using: &random) <= Backoff.first)
  }
}
