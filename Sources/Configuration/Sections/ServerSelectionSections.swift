import ReverseProxy

/// How an upstream's servers are judged, spared and tried again.
extension YAMLValue {
  var healthCheck: HealthCheck? {
    section { section in
      let target = section.required("path", "what health checks ask for") { $0.probePath }
      var check = HealthCheck(path: target ?? "/")
      section.replace(&check.interval, "every") { $0.duration(in: .milliseconds(500) ... .seconds(3600)) }
      section.replace(&check.timeout, "timeout") { $0.duration(in: .milliseconds(10) ... .seconds(60)) }
      section.replace(&check.healthyAfter, "healthy_after") { $0.count(in: 1...100) }
      section.replace(&check.unhealthyAfter, "unhealthy_after") { $0.count(in: 1...100) }
      section.replace(&check.expected, "expect") { $0.list { $0.statusCodes } }
      if check.expected.isEmpty { section.member("expect")?.fault("\(path): expect must have a status code") }
      return target.map { _ in check }
    }
  }

  /// A path, with a query perhaps, that every server reads in the same way.
  private var probePath: String? {
    guard let text else { return nil }
    guard text.hasPrefix("/") else { return fault("\(path) must begin with a slash, not \"\(text)\"") }
    do {
      _ = try CanonicalPath(target: text.utf8.span)
      return text
    } catch {
      return fault("\(path): \(error.description)")
    }
  }

  /// `204`, or `2xx` for all of a class.
  private var statusCodes: ClosedRange<Int>? {
    guard let text else { return nil }
    if text.count == 3, text.hasSuffix("xx"), let first = text.first?.wholeNumberValue, (2...5).contains(first) {
      return first * 100...first * 100 + 99
    }
    guard let code = Int(text), (200...599).contains(code) else {
      return fault("\(path) must be a status code such as 204, or a class such as 2xx, not \"\(text)\"")
    }
    return code...code
  }

  var ejectionRule: EjectionRule? {
    section { section in
      var rule = EjectionRule()
      section.replace(&rule.after, "after") { $0.count(in: 1...1000) }
      section.replace(&rule.period, "for") { $0.duration(in: .milliseconds(100) ... .seconds(3600)) }
      section.replace(&rule.share, "share") { $0.percent(in: 0...100) }
      return rule
    }
  }

  var serverLimits: ServerLimits? {
    section { section in
      var limits = ServerLimits()
      section.replace(&limits.requests, "requests") { $0.count(in: 1...1_000_000) }
      section.replace(&limits.pending, "pending") { $0.count(in: 0...10_000) }
      section.replace(&limits.wait, "wait") { $0.duration(in: .milliseconds(1) ... .seconds(30)) }
      if limits.requests == nil {
        for key in ["pending", "wait"] { section.member(key)?.fault("\(path): \(key) is for servers with a limit of requests") }
      }
      return limits
    }
  }

  var retryRule: RetryRule? {
    section { section in
      var rule = RetryRule()
      section.replace(&rule.attempts, "attempts") { $0.count(in: 0...5) }
      section.replace(&rule.budget, "budget") { $0.percent(in: 0...100) }
      section.replace(&rule.causes, "on") { $0.uniqueList { $0.choice(RetryCause.self) }.map(Set.init) }
      return rule
    }
  }
}
