/// What one loop has done since it started. Only ever grows, except `clientConnections`.
public struct EngineCounters: Sendable {
  /// Final responses by class: 1xx (unused), 2xx, 3xx, 4xx, 5xx.
  public var responses: InlineArray<5, UInt64> = [0, 0, 0, 0, 0]
  public var proxiedRequests: UInt64 = 0
  public var endpointRequests: UInt64 = 0
  /// Messages that were refused as malformed.
  public var refusedMessages: UInt64 = 0
  public var upstreamErrors: UInt64 = 0
  public var upstreamConnections: UInt64 = 0
  public var upstreamRetries: UInt64 = 0
  /// Responses cut off because the upstream broke off.
  public var truncatedResponses: UInt64 = 0
  public var tokenHits: UInt64 = 0
  public var tokenMisses: UInt64 = 0
  public var clientConnections: UInt64 = 0
  /// Closed at once, because their source had enough.
  public var refusedConnections: UInt64 = 0
  /// Of clients; those that came to a session, and those that did not.
  public var tlsHandshakes: UInt64 = 0
  public var failedHandshakes: UInt64 = 0
  /// Requests that became WebSockets.
  public var webSockets: UInt64 = 0
  /// Exchanges cut because the token or connection they rested on was revoked, and because the token had expired.
  public var revokedStreams: UInt64 = 0
  public var expiredStreams: UInt64 = 0

  public init() {}

  public static func + (left: EngineCounters, right: EngineCounters) -> EngineCounters {
    var sum = left
    for index in sum.responses.indices { sum.responses[index] += right.responses[index] }
    sum.proxiedRequests += right.proxiedRequests
    sum.endpointRequests += right.endpointRequests
    sum.refusedMessages += right.refusedMessages
    sum.upstreamErrors += right.upstreamErrors
    sum.upstreamConnections += right.upstreamConnections
    sum.upstreamRetries += right.upstreamRetries
    sum.truncatedResponses += right.truncatedResponses
    sum.tokenHits += right.tokenHits
    sum.tokenMisses += right.tokenMisses
    sum.clientConnections += right.clientConnections
    sum.tlsHandshakes += right.tlsHandshakes
    sum.failedHandshakes += right.failedHandshakes
    sum.refusedConnections += right.refusedConnections
    sum.webSockets += right.webSockets
    sum.revokedStreams += right.revokedStreams
    sum.expiredStreams += right.expiredStreams
    return sum
  }

  mutating func countResponse(_ status: Int) {
    guard (200...599).contains(status) else { return }
    responses[status / 100 - 1] += 1
  }
}
