import Cryptography
import OAuthCore

/// One message for one endpoint, taken up for one try.
public struct WebhookDelivery: Sendable, Equatable {
  public var id: Locator
  /// Names the event: the same for every endpoint and every try, so that receivers can tell repetitions.
  public var event: Locator
  public var endpoint: String
  /// The bytes that are signed and sent: JSON with `type`, `timestamp` and `data`.
  public var payload: String
  /// 1 for the first.
  public var attempt: Int

  public init(id: Locator, event: Locator, endpoint: String, payload: String, attempt: Int) {
    self.id = id
    self.event = event
    self.endpoint = endpoint
    self.payload = payload
    self.attempt = attempt
  }
}

/// What comes after a try.
public enum WebhookOutcome: Sendable, Equatable {
  case delivered
  case retry(after: Duration)
  case givenUp

  /// Pauses after the first try, the second, …; then it is given up, three days after the event.
  ///
  /// Source: Standard Webhooks, "Deliverability and reliability": retries over days, with exponential back-off and jitter.
  static let pauses: [Duration] = [
    .seconds(5), .seconds(5 * 60), .seconds(30 * 60), .seconds(2 * 3600), .seconds(5 * 3600), .seconds(10 * 3600),
    .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
  ]

  /// - Parameters:
  ///   - attempt: 1 for the first try.
  ///   - jitter: uniform in 0..<1; adds up to a tenth.
  init(_ response: Result<ProviderResponse, TransportFailure>, attempt: Int, jitter: Double) {
    if case .success(let response) = response {
      if (200..<300).contains(response.status) { self = .delivered; return }
      // The receiver wants no more of it. Source: Standard Webhooks, "Deliverability and reliability".
      if response.status == 410 { self = .givenUp; return }
    }
    guard attempt <= Self.pauses.count else { self = .givenUp; return }
    let asked = (try? response.get()).flatMap { RetryAfter.seconds($0.retryAfter) } ?? .zero
    self = .retry(after: max(Self.pauses[attempt - 1] * (1 + jitter / 10), asked))
  }
}

extension WebhookDelivery {
  /// The request of a try. Source: Standard Webhooks, "Webhook headers", "Signature scheme".
  func request(to endpoint: WebhookEndpoint, at now: Timestamp, deadline: Duration) -> ProviderRequest {
    let id = "msg_\(event)"
    let signatures = [endpoint.secret, endpoint.previousSecret].compactMap { secret in
      secret?.signature(of: payload, id: id, timestamp: now.seconds)
    }
    return ProviderRequest(
      url: endpoint.url, authorization: nil, form: Secret(payload), contentType: "application/json",
      fields: [
        "webhook-id: \(id)", "webhook-timestamp: \(now.seconds)", "webhook-signature: \(signatures.joined(separator: " "))",
      ],
      allowHTTP: endpoint.allowHTTP, allowPrivateAddresses: endpoint.allowPrivateAddresses, deadline: deadline,
      bodyByteCountMax: 64 << 10)
  }
}
