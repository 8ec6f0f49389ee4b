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
  /// - Parameter token: nil for a rate per address.
  /// - Returns: what to answer; nil: it is within the rate.
  func overRate(_ rate: RouteRate, _ token: VerifiedToken?) -> GatewayError? {
    let verdict = exchange.additions.rate?.verdict ?? rate.table.take(caller(rate.table.rule.key, token), at: engine.loop.now)
    exchange.additions.rate = (rate.fields, verdict)
    return verdict.isAllowed ? nil : .rateLimited(retryAfter: verdict.retryAfter)
  }

  private func caller(_ key: RateRule.Key, _ token: VerifiedToken?) -> RateCaller {
    switch (key, token) {
    case (.client, let token?): .client(token.facts.client.rawValue)
    case (.subject, let token?): .subject(token.facts.subject.rawValue)
    // The configuration has seen to it that a route without tokens has a rate per address.
    case (.address, _), (_, nil): RateCaller(literal: origin.address)
    }
  }
}
