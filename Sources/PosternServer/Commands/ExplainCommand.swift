import ArgumentParser
import Configuration
import Cryptography
import EgressHTTP
import EventLoop
import GatewayServer
import OAuthCore
import PostgresStore
import ReverseProxy
import Synchronization

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Tell what the gateway does with a request, and why.",
    discussion: """
      Walks through every step that the gateway takes and ends with the head that the upstream would get, secrets \
      redacted. Nothing is forwarded, and nothing needs to run; only a bearer token is looked up in the database, or, as \
      the route says, judged by its issuer's keys or shown to the introspection endpoint.

        postern explain GET /photos/42
        postern explain POST https://gw.example.com/crm -H 'Content-Length: 9'

      Other users of the machine see command lines. -H @- reads field lines from standard input instead:

        echo "Authorization: Bearer $TOKEN" | postern explain GET /photos -H @-

      Exit status 0: the request would be forwarded. 1: it would not; the last lines say with which status it is answered.
      """)

  @OptionGroup var config: ConfigurationOption
  @Argument(help: "The request method; case counts.") var method: String
  @Argument(help: "The URL; without scheme and host, the issuer's host is asked.") var url: String
  @Option(name: .customShort("H"), help: "A header field, 'Name: value'; @- reads field lines from standard input.")
  var field: [String] = []

  func run() async throws {
    let configuration = try config.load()
    let head = try RequestLine(method: method, url: url, host: configuration.issuer.authority).head(with: fieldLines())
    let explanation = try await Self.explain(head, configuration)
    let width = explanation.steps.map(\.name.count).max() ?? 0
    for step in explanation.steps {
      print(step.name + String(repeating: " ", count: width - step.name.count + 2) + step.verdict)
    }
    print("")
    switch explanation.outcome {
    case .forwarded(let head): print("Forwarded as:\n\n\(head)")
    case .ownEndpoint:
      print("Not forwarded: Postern answers this path itself.")
      throw ExitCode.failure
    case .answered(let status, let sentence):
      print("Not forwarded: answered with status \(status). \(sentence)")
      throw ExitCode.failure
    case .refused(let status, let code, let sentence, let challenge):
      print("Refused with status \(status), \(code): \(sentence)")
      if let challenge { print("WWW-Authenticate: \(challenge)") }
      throw ExitCode.failure
    }
  }

  private func fieldLines() throws -> [String] {
    var lines: [String] = []
    for text in field {
      guard text == "@-" else {
        lines.append(text)
        continue
      }
      while let line = readLine(strippingNewline: true) { if !line.isEmpty { lines.append(line) } }
    }
    return lines
  }

  private static func explain(_ head: [UInt8], _ configuration: Configuration) async throws -> RequestExplanation {
    let gateway = RequestExplanation.Gateway(
      routes: configuration.routes, upstreams: configuration.upstreams, limits: configuration.limits,
      via: ViaField(deployment: configuration.issuer.description), issuer: configuration.issuer)
    var finding = RequestExplanation.TokenFinding.unasked
    while true {
      switch RequestExplanation.explain(head: head, at: gateway, token: finding, now: SystemClock().now) {
      case .complete(let explanation): return explanation
      case .needsFacts(let token, let access):
        let dispatch = TokenDispatch(ownIssuer: configuration.issuer.description, routes: configuration.routes.routes)
        let destination = dispatch.destination(of: token, on: access)
        guard case .own = destination else {
          finding = .foreign(try await ask(destination, about: token, configuration))
          continue
        }
        let found = try await DatabaseSession.run(configuration) { stores in
          try await PresentedToken.find(String(decoding: token, as: UTF8.self), configuration, stores)
        }
        // A refresh token is a token of Postern's, but nothing that a route takes.
        if case .access(let facts) = found { finding = .found(facts) } else { finding = .found(nil) }
      case .needsSession(let cookie):
        let facts = try await DatabaseSession.run(configuration) { stores in
          try await BrowserSessions(configuration, stores).verify(cookie)
        }
        finding = .found(facts)
      }
    }
  }

  /// Asks whom the gateway would ask, by an egress of this command's own.
  private static func ask(
    _ destination: TokenDispatch.Destination, about token: [UInt8], _ configuration: Configuration
  ) async throws -> ForeignSources.Finding {
    let loops = try EventLoopGroup(count: 1)
    loops.start()
    defer { loops.stop() }
    let egress = EgressClient(loops: loops.loops, pool: WorkerPool())
    let reasons = Mutex<[String]>([])
    let sources = ForeignSources(
      ownIssuer: configuration.issuer.description, transport: egress, clock: SystemClock(), executor: loops.loops[0],
      changes: ChangeRelay()
    ) { event in
      if case .keysUnavailable(_, let reason) = event { reasons.withLock { $0.append(reason) } }
    }
    var finding = await sources.finding(token, to: destination)
    if case .unavailable = finding, let reason = reasons.withLock({ $0.first }) { finding = .unavailable(reason) }
    await egress.shutdown()
    return finding
  }
}

extension BrowserSessions {
  /// Those of the running instances, to be looked at.
  fileprivate init(_ configuration: Configuration, _ stores: Stores) {
    self.init(
      store: stores.sessions,
      accounts: LayeredAccountDirectory(configured: configuration.accounts, database: stores.accounts),
      mint: HandleMint(ring: configuration.keys, random: SystemRandom()),
      cookie: SessionCookie(isSecure: configuration.issuer.isSecure), clock: SystemClock())
  }
}

/// A method and a URL as they stand on a command line.
struct RequestLine {
  let method: String
  let target: String
  let host: String

  /// - Parameter host: of a URL that has none.
  init(method: String, url: String, host: String) throws(CommandFailure) {
    self.method = method
    for scheme in ["http://", "https://"] where url.lowercased().hasPrefix(scheme) {
      let rest = url.dropFirst(scheme.count)
      let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
      self.host = String(rest[..<end])
      target = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/\(rest[end...])"
      return
    }
    guard url.hasPrefix("/") else { throw CommandFailure("\"\(url)\" is no URL; write /path or https://host/path") }
    self.host = host
    target = url
  }

  /// The request head as a client sends it.
  func head(with fields: [String]) throws(CommandFailure) -> [UInt8] {
    let namesHost = fields.contains { $0.lowercased().hasPrefix("host:") }
    let lines = ["\(method) \(target) HTTP/1.1"] + (namesHost ? [] : ["Host: \(host)"]) + fields
    for line in lines where line.utf8.contains(where: { $0 == 0x0d || $0 == 0x0a }) {
      throw CommandFailure("a method, a URL and a field have one line each")
    }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }
}
