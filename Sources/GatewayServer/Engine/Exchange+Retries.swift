import EventLoop
import HTTPWire
import ReverseProxy

/// What becomes of a request when a server fails it.
extension Exchange {
  /// A try came to nothing before the response head: the request goes to another server, or the client is told. The
  /// connection, if there was one, is closed.
  ///
  /// - Parameters:
  ///   - isUnsent: whether nothing of the request was sent.
  ///   - isStale: whether it was the fate of a pooled connection, which says nothing about the server.
  func tryFailed(_ error: GatewayError, at server: UpstreamServer, isUnsent: Bool, isStale: Bool = false) {
    // Who ends a connection while a body is on its way may have had enough of that body: whoever sends large ones must not
    // get servers ejected.
    let isWhole = isUnsent || isRequestSent
    if isWhole, !isStale, error.speaksAgainstServer { server.fail(at: engine.loop.now) }
    server.end(at: engine.loop.now)
    if let cause = RetryCause(error, isUnsent: isUnsent), let next = nextServer(after: cause, at: server) {
      return sendAgain(to: next, after: server)
    }
    engine.count { $0.upstreamErrors += 1 }
    withClient { $0.fail(error) }
  }

  /// Takes note of how a server answered, before anything is forwarded.
  ///
  /// - Returns: whether nothing is forwarded now: the request was sent again, on another connection, or the response is
  ///   held.
  func goesElsewhere(
    after head: borrowing ResponseHead, _ bytes: Span<UInt8>, from connection: UpstreamConnection
  ) -> Bool {
    let server = connection.server
    if head.status == 401, heeds401(from: connection) { return true }
    guard let cause = RetryCause(status: head.status) else {
      server.succeed(at: engine.loop.now)
      return false
    }
    server.fail(at: engine.loop.now)
    guard let next = nextServer(after: cause, at: server, namesRetryTime: Exchange.namesRetryTime(head, bytes)) else {
      return false
    }
    abandonUpstream()
    sendAgain(to: next, after: server)
    return true
  }

  private func nextServer(
    after cause: RetryCause, at server: UpstreamServer, namesRetryTime: Bool = false
  ) -> UpstreamServer? {
    triedServers |= server.bit
    let failed = FailedTry(
      cause: cause, isIdempotent: method.isIdempotent, isReplayable: isReplayable, namesRetryTime: namesRetryTime)
    return route?.group.next(after: failed, at: server, tried: triedServers, count: retryCount)
  }

  private func sendAgain(to next: UpstreamServer, after server: UpstreamServer) {
    retryCount += 1
    engine.count { $0.upstreamRetries += 1 }
    if next.hostLine != server.hostLine { replaceHostLine(by: next.hostLine) }
    send(to: next)
  }

  /// Source: RFC 9110 §10.2.3.
  private static func namesRetryTime(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> Bool {
    var lines = FieldLines(head.fieldLines)
    while let line = lines.next(bytes) {
      if bytes.isFieldName(line.name, "retry-after") { return true }
    }
    return false
  }
}
