import ReverseProxy

/// How an upstream's servers are judged, spared and tried again.
extension YAMLValue {
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
