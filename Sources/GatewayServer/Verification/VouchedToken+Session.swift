import OAuthCore
import ReverseProxy

extension VouchedToken {
  /// A browser session, whose facts come from the store: believed until a change ends it, and not at all while changes may
  /// not reach this process.
  init(session facts: TokenFacts) {
    self.init(
      facts: facts, source: .session, believedUntil: Timestamp(microseconds: .max),
      believedAloneUntil: Timestamp(microseconds: .min),
      endedBy: [.sessionEnded(facts.locator), .accountChanged(facts.subject)])
  }
}
