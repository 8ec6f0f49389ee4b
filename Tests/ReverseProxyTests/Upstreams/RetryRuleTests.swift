import Testing

@testable import ReverseProxy

private let second: Int64 = 1_000_000_000

@Suite("Retries")
struct RetryRuleTests {
  private static func rule(_ causes: Set<RetryCause> = Set(RetryCause.allCases)) -> RetryRule {
    var rule = RetryRule()
    rule.causes = causes
    return rule
  }

  private static let answered: [RetryCause] = [.reset, .badGateway, .serviceUnavailable, .gatewayTimeout]

  @Test("RFC 9110 §9.2.2: what is not idempotent is sent again only where nothing of it was sent", arguments: RetryCause.allCases)
  func notIdempotent(cause: RetryCause) {
    let failed = FailedTry(cause: cause, isIdempotent: false, isReplayable: true)
    #expect(Self.rule().permits(failed, after: 0) == (cause == .connectFailure))
  }

  @Test("What is not there any more is not sent again", arguments: RetryCause.allCases)
  func notReplayable(cause: RetryCause) {
    #expect(!Self.rule().permits(FailedTry(cause: cause, isIdempotent: true, isReplayable: false), after: 0))
  }

  @Test("RFC 9110 §10.2.3: an upstream that says when to come again is not asked before", arguments: answered)
  func retryAfter(cause: RetryCause) {
    let failed = FailedTry(cause: cause, isIdempotent: true, isReplayable: true, namesRetryTime: true)
    #expect(!Self.rule().permits(failed, after: 0))
  }

  @Test("Only what the rule names is a reason, and only so often", arguments: RetryCause.allCases)
  func causes(cause: RetryCause) {
    let failed = FailedTry(cause: cause, isIdempotent: true, isReplayable: true)
    #expect(!Self.rule(Set(RetryCause.allCases).subtracting([cause])).permits(failed, after: 0))
    #expect(Self.rule([cause]).permits(failed, after: 1))
    #expect(!Self.rule([cause]).permits(failed, after: 2))
  }

  @Test("By default answers of the upstream are final, broken connections are not")
  func defaults() {
    for cause in RetryCause.allCases {
      let failed = FailedTry(cause: cause, isIdempotent: true, isReplayable: true)
      #expect(RetryRule().permits(failed, after: 0) == [.connectFailure, .reset].contains(cause))
    }
  }

  @Test("An error before the first byte is a failure to connect, whatever it was; after it only a broken connection counts")
  func errors() {
    for error in [GatewayError.connectionRefused, .connectionTimeout, .tlsCertificateError, .connectionTerminated] {
      #expect(RetryCause(error, isUnsent: true) == .connectFailure)
    }
    #expect(RetryCause(.connectionTerminated, isUnsent: false) == .reset)
    for error in [GatewayError.responseTimeout, .responseMalformed, .responseHeadTooLarge] {
      #expect(RetryCause(error, isUnsent: false) == nil)
    }
    #expect([500, 501, 502, 503, 504, 505, 200].map { RetryCause(status: $0)?.rawValue } == [nil, nil, "502", "503", "504", nil, nil])
  }

  @Test("In a lasting outage retries are the budget's share of the requests, beyond what was saved at the start")
  func outage() {
    var budget = RetryBudget()
    var spent = 0
    for request in 1...UInt64(10_000) where budget.withdraw(percent: 20, requestCount: request, at: 0) { spent += 1 }
    #expect(spent <= 2_000 + RetryBudget.savedFirst && spent >= 1_990)
  }

  @Test("What good times save is limited")
  func saved() {
    var budget = RetryBudget()
    #expect(budget.withdraw(percent: 20, requestCount: 1_000_000, at: 0) == true)
    var spent = 1
    while budget.withdraw(percent: 20, requestCount: 1_000_000, at: 0) { spent += 1 }
    #expect(spent == RetryBudget.savedMax)
  }

  @Test("Few requests earn something by time; a clock that stands or goes back earns nothing")
  func time() {
    var budget = RetryBudget()
    while budget.withdraw(percent: 1, requestCount: 0, at: 0) {}
    #expect(budget.withdraw(percent: 1, requestCount: 0, at: second / 2) == false)
    #expect(budget.withdraw(percent: 1, requestCount: 0, at: second) == true)
    #expect(budget.withdraw(percent: 1, requestCount: 0, at: second) == false)
    #expect(budget.withdraw(percent: 1, requestCount: 0, at: 0) == false)
  }

  @Test("A budget of nothing spends nothing")
  func nothing() {
    var budget = RetryBudget()
    #expect(budget.withdraw(percent: 0, requestCount: 1_000_000, at: 1_000 * second) == false)
  }

  @Test("Loops share a limit, rounded up")
  func limits() {
    var limits = ServerLimits()
    #expect(limits.share(ofLoops: 4).requests == nil)
    (limits.requests, limits.pending) = (10, 3)
    #expect(limits.share(ofLoops: 4).requests == 3 && limits.share(ofLoops: 4).pending == 1)
    #expect(limits.share(ofLoops: 1) == limits)
    limits.pending = 0
    #expect(limits.share(ofLoops: 4).pending == 0)
  }
}
