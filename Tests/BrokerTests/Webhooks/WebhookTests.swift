import Cryptography
import OAuthCore
import PosternTesting
import Testing

@testable import Broker

@Suite("Webhooks", .timeLimit(.minutes(5)))
struct WebhookTests {
  private let time = ManualTime()
  private let store = InMemoryWebhookStore()
  private let receiver = ScriptedProvider()

  private static let secret = WebhookSecret(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))!
  private static let event = Locator(high: 1, low: 2)

  private func endpoint(_ id: String = "crm", previous: WebhookSecret? = nil) -> WebhookEndpoint {
    WebhookEndpoint(
      id: id, url: EndpointURL("https://hooks.example/in?x=1")!, secret: Self.secret, previousSecret: previous,
      events: [.created])
  }

  private func dispatcher(_ endpoints: [WebhookEndpoint]) -> WebhookDispatcher {
    WebhookDispatcher(
      endpoints: endpoints, store: store, transport: receiver, clock: time, random: FixedRandom(), sleeper: time, report: { _ in })
  }

  private func add(_ endpoint: String = "crm", id: UInt64 = 1) {
    store.add(
      WebhookDelivery(
        id: Locator(high: 0, low: id), event: Self.event, endpoint: endpoint, payload: #"{"type":"connection.created"}"#, attempt: 0))
  }

  private func field(_ name: String, _ request: ProviderRequest) -> String? {
    request.fields.first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
  }

  @Test("Standard Webhooks, \"Signature scheme\": the published vector")
  func vector() {
    #expect(
      Self.secret.signature(of: #"{"test": 2432232314}"#, id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test("Standard Webhooks, \"Signature scheme\": secrets have 24 to 64 bytes and say what they are", arguments: [
    "", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whsec_" + String(repeating: "A", count: 88),
  ])
  func secrets(_ text: String) { #expect(WebhookSecret(Secret(text)) == nil) }

  @Test("a message is posted as it was written, signed anew for each try, by both secrets while they change; its id stays")
  func delivered() async throws {
    let old = try #require(WebhookSecret(Secret("whsec_" + Base64.encode([UInt8](repeating: 7, count: 32)))))
    let dispatcher = dispatcher([endpoint(previous: old)])
    receiver.script(.success(.json(500, "")), .success(.json(204, "")))
    add()
    #expect(await dispatcher.deliver() == 1)
    time.advance(by: .seconds(5))
    #expect(await dispatcher.deliver() == 1)
    #expect(await dispatcher.deliver() == 0)
    #expect(store.outcomes == [.retry(after: .seconds(5)), .delivered])
    var seen: Set<String> = []
    for request in receiver.requests {
      #expect(request.form == Secret(#"{"type":"connection.created"}"#) && request.contentType == "application/json")
      #expect(request.url.description == "https://hooks.example/in?x=1" && !request.allowPrivateAddresses)
      let id = try #require(field("webhook-id", request))
      let timestamp = try #require(field("webhook-timestamp", request).flatMap { Int64($0) })
      let signatures = try #require(field("webhook-signature", request)).split(separator: " ").map(String.init)
      let payload = #"{"type":"connection.created"}"#
      #expect(id == "msg_\(Self.event)")
      #expect(signatures == [Self.secret, old].map { $0.signature(of: payload, id: id, timestamp: timestamp) })
      seen.insert(signatures[0])
    }
    #expect(seen.count == 2)
  }

  @Test("Standard Webhooks, \"Deliverability and reliability\": what fails is tried for three days, further and further apart")
  func pauses() {
    var total = Duration.zero
    var last = Duration.zero
    for attempt in 1...9 {
      guard case .retry(let pause) = WebhookOutcome(.failure(.timeout), attempt: attempt, jitter: 0) else {
        Issue.record("given up after \(attempt)")
        return
      }
      #expect(pause > last)
      (last, total) = (pause, total + pause)
    }
    #expect(WebhookOutcome(.failure(.timeout), attempt: 10, jitter: 0) == .givenUp)
    #expect(total > .seconds(3 * 86_400))
    #expect(WebhookOutcome(.success(.json(429, "", retryAfter: "60")), attempt: 1, jitter: 0) == .retry(after: .seconds(60)))
    #expect(WebhookOutcome(.success(.json(301, "")), attempt: 1, jitter: 1) == .retry(after: .seconds(5) * 1.1))
    // 410 Gone: the receiver wants no more of it.
    #expect(WebhookOutcome(.success(.json(410, "")), attempt: 1, jitter: 0) == .givenUp)
  }

  @Test("the store knows who wants what before anything is delivered; what no endpoint is configured for stays")
  func subscriptions() async {
    let dispatcher = dispatcher([endpoint()])
    let running = Task { await dispatcher.run() }
    await eventually { store.subscriptions == ["crm": [.created]] && time.sleeperCount == 1 }
    add("other")
    #expect(await dispatcher.deliver() == 0)
    dispatcher.reconfigure([endpoint("other")])
    time.advance(by: .seconds(1))
    await eventually { store.subscriptions == ["other": [.created]] && store.outcomes.count == 1 && time.sleeperCount == 1 }
    running.cancel()
    time.advance(by: .seconds(1))
    await running.value
  }
}
