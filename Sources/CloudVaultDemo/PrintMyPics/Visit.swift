import Cryptography
import OAuthCore

/// Where a visitor stands: has asked, has been let in, both (and asks again), or neither.
struct Visit: Sendable {
  private(set) var pending: PendingAuthorization?
  private(set) var order: Order?

  /// A code with what proves that it was ours to ask for.
  struct RedeemableCode: Sendable, Equatable {
    let code: Secret
    let verifier: Secret
  }

  init(order: Order? = nil) { self.order = order }

  /// A later request replaces an earlier one.
  mutating func ask(_ request: PendingAuthorization) { pending = request }

  /// Checks an answer, in the order of what it may be trusted with: who brings it, when, from whom, and only then what
  /// it says. The request is used up by the answer that carries its `state`, whatever else is wrong with that; one that
  /// carries another changes nothing, so that a stranger's link cannot interrupt.
  ///
  /// Source: RFC 9700 §2.1, §4.7.1; RFC 9207 §2.4.
  mutating func redeem(
    _ answer: AuthorizationAnswer, issuer: String, at now: Timestamp
  ) throws(AnswerRefusal) -> RedeemableCode {
    guard let pending else { throw .notAsked }
    // `Secret` compares in constant time.
    guard answer.state == pending.state else { throw .stateDifferent }
    self.pending = nil
    guard now < pending.expiresAt else { throw .expired }
    guard answer.issuer == issuer else { throw .issuerDifferent }
    if let error = answer.error { throw error == "access_denied" ? .denied : .failed(code: error) }
    guard let code = answer.code else { throw .codeMissing }
    return RedeemableCode(code: code, verifier: pending.verifier)
  }

  /// Keeps what has come of an order; one that was forgotten meanwhile stays forgotten.
  mutating func update(_ change: (inout Order) -> Void) {
    guard var order else { return }
    change(&order)
    self.order = order
  }
}

/// What PrintMyPics holds for a visitor who let it in.
struct Order: Sendable {
  var tokens: Tokens
  var photos: [Photo]
  /// How the photos were come by the last time.
  var story = Story.connected

  enum Story: Sendable {
    case connected, renewed
  }
}
