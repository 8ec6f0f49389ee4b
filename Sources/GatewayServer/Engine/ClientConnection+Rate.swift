import ReverseProxy

/// A route's rate as its loops enforce it.
struct RouteRate {
  let table: RateTable
  let fields: RateFields

  init(_ table: RateTable, route: String) {
    self.table = table
    fields = RateFields(table.rule, route: route)
  }
}

extension ClientConnection {
  /// Counts the request under way, once, however often it is parked and decided again.
  ///
  /// A rate per address is counted before anything else is found out, so that what fails authentication counts, too; one
  /// per client or subject when it is known who calls.
  ///
  /// - Returns: what to answer; nil: it is within the rate.
  func overRate(_ rate: RouteRate, _ caller: @autoclosure () -> RateCaller) -> GatewayError? {
    let verdict = exchange.additions.rate?.verdict ?? rate.table.take(caller(), at: engine.loop.now)
    exchange.additions.rate = (rate.fields, verdict)
    return verdict.isAllowed ? nil : .rateLimited(retryAfter: verdict.retryAfter)
  }

  /// Whom a rate per address counts.
  var caller: RateCaller { RateCaller(literal: origin.address) }

  /// Whom a rate counts when it is known who calls.
  func caller(of token: VerifiedToken, by rate: RouteRate) -> RateCaller {
    switch rate.table.rule.key {
    case .client: .client(token.facts.client.rawValue)
    case .subject: .subject(token.facts.subject.rawValue)
    case .address: caller
    }
  }
}
