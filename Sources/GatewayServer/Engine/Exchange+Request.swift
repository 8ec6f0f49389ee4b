import EventLoop
import HTTPWire
import ReverseProxy

/// The request as the upstream gets it, kept for as long as it may have to be sent again.
extension Exchange {
  /// Writes the head for the upstream.
  ///
  /// - Parameters:
  ///   - pathStart: where the forwarded part of the path begins.
  ///   - credential: a field line, or empty.
  func composeRequest(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, route: LoopRoute, server: UpstreamServer, pathStart: Int, credential: UnsafeRawBufferPointer
  ) {
    compose(&request, head, bytes, route: route, server: server, pathStart: pathStart, credential: credential)
  }

  private func compose(
    _ request: inout ByteQueue, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, route: LoopRoute, server: UpstreamServer,
    pathStart: Int, credential: UnsafeRawBufferPointer
  ) {
    request.reserve(head.byteCount + 512)
    request.append(
      forwarding: head, bytes, prefix: route.addedPrefix, pathStart: pathStart, stripping: route.strippedFields)
    hostLine = request.count..<request.count &+ server.hostLine.count
    request.append(server.hostLine)
    // For this hop: a server of HTTP/2 gets it without the nomination. Source: RFC 9110 §10.1.4.
    if server.applicationProtocol != .http1, withClient({ $0.acceptsTrailers }) { request.append("Connection: TE\r\nTE: trailers\r\n") }
    credentialLine = request.count..<request.count &+ credential.count
    request.append(credential)
    if tunnel != nil { request.append(Tunnel.fieldLines) }
    withClient { $0.appendForwardedLines(to: &request) }
    if route.tellsCertificate { withClient { $0.peer.secured?.append(to: &request, route.route.clientCertificate) } }
    request.append(forwardedHostOf: head, bytes)
    if withClient({ $0.channel.isCarried }) {
      request.append(engine.via.beforeRequestIDOfHTTP2.bytes)
    } else {
      request.append(isHTTP10 ? engine.via.beforeRequestIDOfHTTP10.bytes : engine.via.beforeRequestID.bytes)
    }
    requestID.append(to: &request)
    request.append("\r\n")
    if let value = head.fields.traceParent { TraceField(bytes, value).append(to: &request, bytes, requestID) }
    request.append("\r\n")
  }

  func replaceHostLine(by line: [UInt8]) {
    let shift = line.count - hostLine.count
    hostLine = replace(hostLine, by: line)
    credentialLine = credentialLine.lowerBound &+ shift..<credentialLine.upperBound &+ shift
  }

  func replaceCredentialLine(by line: [UInt8]) { credentialLine = replace(credentialLine, by: line) }

  /// - Returns: where `line` stands now.
  private func replace(_ range: Range<Int>, by line: [UInt8]) -> Range<Int> {
    var replaced = ByteQueue(pool: engine.pool)
    replaced.reserve(request.count &+ line.count)
    replaced.append(UnsafeRawBufferPointer(rebasing: request.readable[..<range.lowerBound]))
    replaced.append(line)
    replaced.append(UnsafeRawBufferPointer(rebasing: request.readable[range.upperBound...]))
    swap(&request, &replaced)
    return range.lowerBound..<range.lowerBound &+ line.count
  }

  func appendToRequest(_ body: Span<UInt8>) { request.append(body) }
}
