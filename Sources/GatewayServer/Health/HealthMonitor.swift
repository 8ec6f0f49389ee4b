import EventLoop
import HTTPWire
import ReverseProxy

/// Asks the servers of upstreams with health checks how they are. One per process, on one loop; who serves requests is
/// told when a server is to be taken for something else.
final class HealthMonitor: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it.

  /// One server, and what its answers say.
  private final class Subject {
    let key: ServerKey
    var rule: HealthCheck
    var tls: TLSClientContext?
    var applicationProtocol: Upstream.ApplicationProtocol
    var health = ServerHealth()
    var timer: TimerToken?
    var probe: HealthProbe?

    init(
      _ key: ServerKey, _ rule: HealthCheck, _ tls: TLSClientContext?, speaking applicationProtocol: Upstream.ApplicationProtocol
    ) {
      self.key = key
      self.rule = rule
      self.tls = tls
      self.applicationProtocol = applicationProtocol
    }
  }

  private let loop: EventLoop
  private let limits: WireLimits
  private let lot: () -> Double
  private let changed: (ServerKey, _ isHealthy: Bool) -> Void
  private let pool = BufferPool()
  private let scratch = HealthProbe.Scratch()
  private var subjects: [ServerKey: Subject] = [:]

  /// To be called on `loop`.
  ///
  /// - Parameters:
  ///   - lot: from 0 to 1, differently each time: when a question is asked, within its interval.
  ///   - changed: takes a server that was found well or not well from now on; called on `loop`.
  init(
    on loop: EventLoop, limits: WireLimits, lot: @escaping () -> Double = { .random(in: 0...1) },
    changed: @escaping (_ server: ServerKey, _ isHealthy: Bool) -> Void
  ) {
    loop.assertInLoop()
    self.loop = loop
    self.limits = limits
    self.lot = lot
    self.changed = changed
  }

  /// Asks the servers of another snapshot from now on. What is known of those that stay is kept.
  func apply(_ snapshot: GatewaySnapshot) {
    loop.assertInLoop()
    var kept: [ServerKey: Subject] = [:]
    for (name, entry) in snapshot.upstreams {
      guard let rule = entry.upstream.health else { continue }
      for server in entry.servers {
        for address in server.addresses {
          let key = ServerKey(upstream: name, origin: server.origin, address: address)
          let subject = subjects[key]
            ?? Subject(key, rule, snapshot.tls[name], speaking: entry.upstream.applicationProtocol)
          let isChanged = subject.rule != rule
          subject.rule = rule
          subject.tls = snapshot.tls[name]
          subject.applicationProtocol = entry.upstream.applicationProtocol
          kept[key] = subject
          if isChanged, let timer = subject.timer {
            loop.cancel(timer)
            ask(subject, after: rule.firstPause(lot: lot()))
          }
        }
      }
    }
    for (key, subject) in subjects where kept[key] == nil { dismiss(subject) }
    let newcomers = kept.filter { subjects[$0.key] == nil }
    subjects = kept
    for subject in newcomers.values { ask(subject, after: subject.rule.firstPause(lot: lot())) }
  }

  func stop() {
    loop.assertInLoop()
    for subject in subjects.values { dismiss(subject) }
    subjects = [:]
  }

  private func dismiss(_ subject: Subject) {
    if let timer = subject.timer { loop.cancel(timer) }
    subject.probe?.cancel()
    subject.probe = nil
  }

  private func ask(_ subject: Subject, after pause: Duration) {
    subject.timer = loop.schedule(after: pause) { [weak self] in self?.ask(subject) }
  }

  private func ask(_ subject: Subject) {
    subject.timer = nil
    subject.probe = HealthProbe(
      to: subject.key, rule: subject.rule, tls: subject.tls, speaking: subject.applicationProtocol, on: loop, pool: pool, limits: limits,
      scratch: scratch
    ) { [weak self] isGood in self?.note(subject, isGood) }
    if subject.probe == nil { note(subject, false) }
  }

  private func note(_ subject: Subject, _ isGood: Bool) {
    subject.probe = nil
    guard subjects[subject.key] === subject else { return }
    if subject.health.note(isGood: isGood, rule: subject.rule) { changed(subject.key, subject.health.isHealthy) }
    ask(subject, after: subject.rule.pause(lot: lot()))
  }
}
