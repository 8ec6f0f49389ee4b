import ReverseProxy

extension YAMLValue {
  /// A route's `limits.rate`.
  func rateRule(isAnonymous: Bool) -> RateRule? {
    section { section in
      let key = section.required("key", "client, subject or address") { $0.rateKey(isAnonymous: isAnonymous) }
      let rate = section.required("rate", "such as 100/s") { $0.requestRate }
      let burst = section.optional("burst", default: rate?.count ?? 1) { $0.count(in: 1...RateRule.burstMax) }
      guard let key, let rate, let burst else { return nil }
      return RateRule(key: key, count: rate.count, period: rate.seconds, burst: burst)
    }
  }

  private func rateKey(isAnonymous: Bool) -> RateRule.Key? {
    guard let key = choice(RateRule.Key.self) else { return nil }
    guard isAnonymous, key != .address else { return key }
    return fault("\(path): an anonymous route does not know its callers; its key is address")
  }

  /// `100/s`, `600/m`, `5000/h`: requests in a second, minute or hour.
  private var requestRate: (count: Int, seconds: Int)? {
    guard let text else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let seconds = ["s": 1, "m": 60, "h": 3600]
    guard parts.count == 2, let period = seconds[String(parts[1])], let count = Int(parts[0]), String(count) == parts[0] else {
      return fault("\(path) must be a rate such as 100/s, 600/m or 5000/h, not \"\(text)\"")
    }
    guard (1...RateRule.countMax).contains(count) else {
      return fault("\(path) must be from 1 to \(RateRule.countMax) requests, not \(text)")
    }
    return (count, period)
  }
}
