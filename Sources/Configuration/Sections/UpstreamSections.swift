import ReverseProxy

extension YAMLValue {
  var upstreams: Declarations<Upstream>? {
    var declarations = Declarations<Upstream>()
    _ = members { name, key, value in
      _ = key.identifier
      let upstream = value.section { $0.upstream(name) }
      declarations.add(name, upstream)
      return upstream
    }
    return declarations
  }

  fileprivate func server(allowsPlaintext: Bool) -> Origin? {
    guard let text else { return nil }
    let origin: Origin
    do { origin = try Origin(text) } catch { return fault("\(path): \(error.description)") }
    guard origin.scheme == .https || origin.isLoopback || allowsPlaintext else {
      return fault("\(path): credentials would travel in clear to \(origin.host); use https, or say plaintext: allow")
    }
    return origin
  }

  fileprivate var upstreamTimeouts: Upstream.Timeouts? {
    section { section in
      let range = Duration.milliseconds(1) ... .seconds(3600)
      var timeouts = Upstream.Timeouts()
      section.replace(&timeouts.connect, "connect") { $0.duration(in: range) }
      section.replace(&timeouts.responseHead, "response_head") { $0.duration(in: range) }
      section.replace(&timeouts.idle, "idle") { $0.duration(in: range) }
      return timeouts
    }
  }
}

extension Section {
  fileprivate func upstream(_ name: String) -> Upstream? {
    let plaintext = optional("plaintext") { $0.choice([("allow", true)]) } ?? false
    let servers = required("servers") { $0.uniqueList { $0.server(allowsPlaintext: plaintext) } }
    let timeouts = optional("timeouts", default: Upstream.Timeouts()) { $0.upstreamTimeouts }
    let authorities = optional("ca") { $0.absolutePath }
    let applicationProtocol = optional("protocol", default: Upstream.ApplicationProtocol.http1) {
      $0.choice(Upstream.ApplicationProtocol.self)
    }
    let health = optional("health") { $0.healthCheck }
    let balance = optional("balance", default: Balance.leastRequests) { $0.choice(Balance.self) }
    let ejection = optional("ejection", default: EjectionRule()) { $0.ejectionRule }
    let limits = optional("limits", default: ServerLimits()) { $0.serverLimits }
    let retries = optional("retries", default: RetryRule()) { $0.retryRule }
    if let servers, !servers.contains(where: { $0.scheme == .https }) {
      member("ca")?.fault("\(value.path): ca is for https servers, and there is none")
    }
    if applicationProtocol == .http2, let servers, servers.contains(where: { $0.scheme == .http }) {
      member("health")?.fault("\(value.path): health is asked about in HTTP/1.1, which http servers with protocol: h2 need not know")
    }
    if applicationProtocol == .negotiated, let servers, servers.contains(where: { $0.scheme == .http }) {
      member("protocol")?.fault("\(value.path): auto is for https servers, which choose; write h2 or http1")
    }
    if let servers, servers.isEmpty { fault("\(value.path): servers must have one at least") }
    guard let servers, !servers.isEmpty, let timeouts, let balance, let ejection, let limits, let retries, let applicationProtocol else { return nil }
    var upstream = Upstream(
      name: name, servers: servers, timeouts: timeouts, allowsPlaintext: plaintext, authorities: authorities)
    upstream.balance = balance
    upstream.health = health
    upstream.ejection = ejection
    upstream.limits = limits
    upstream.retries = retries
    upstream.applicationProtocol = applicationProtocol
    return upstream
  }
}
