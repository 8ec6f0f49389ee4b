import EventLoop
import HTTPWire
import ReverseProxy

/// A request to one of Postern's own endpoints while its body is gathered.
struct EndpointRequest {
  var request: HTTPRequest
  let entry: EndpointTable.Entry
}

/// What Postern answers itself: its endpoints' responses, and errors.
extension ClientConnection {
  // MARK: Endpoints

  /// - Returns: bytes done with.
  func serve(_ table: EndpointTable, _ bytes: Span<UInt8>) -> Int {
    guard let entry = table.entry(for: bytes.extracting(scanner.head.path.range)) else {
      return refuse(.routeNotFound, bytes)
    }
    if let length = scanner.head.fields.contentLength, length > entry.bodyBytesMax { return refuse(.bodyTooLarge, bytes) }
    engine.count { $0.endpointRequests += 1 }
    endpointRequest = EndpointRequest(request: request(bytes), entry: entry)
    phase = .collecting
    beginBody()
    let used = scanner.head.byteCount
    if exchange.requestBody.isComplete {
      answer()
    } else if scanner.head.fields.expectsContinue, bytes.count == used {
      // Source: RFC 9110 §10.1.1.
      let interim: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
      if !send(UnsafeRawBufferPointer(start: interim.utf8Start, count: interim.utf8CodeUnitCount)) { abandon() }
    }
    return used
  }

  private func request(_ bytes: Span<UInt8>) -> HTTPRequest {
    var fields = HTTPFields()
    var lines = FieldLines(scanner.head.fieldLines)
    while let line = lines.next(bytes) { fields.append(bytes.text(line.name), bytes.text(line.value)) }
    fields["X-Request-Id"] = exchange.requestID.text
    return HTTPRequest(
      method: bytes.text(scanner.head.method), path: scanner.head.path.isEmpty ? "/" : bytes.text(scanner.head.path),
      query: scanner.head.query.map { bytes.text($0) }, fields: fields, remoteAddress: String(decoding: origin.address, as: UTF8.self),
      certificate: peer.secured?.certificate)
  }

  /// - Returns: bytes done with.
  func collect(_ bytes: Span<UInt8>) -> Int {
    guard let limit = endpointRequest?.entry.bodyBytesMax else { return 0 }
    var used = 0
    while used < bytes.count, !exchange.requestBody.isComplete {
      let rest = bytes.extracting(droppingFirst: used)
      do throws(WireError) {
        let step = try exchange.requestBody.advance(rest)
        if step.wireCount == 0 { break }
        used += step.wireCount
        let content = rest.extracting(step.content)
        let held = endpointRequest?.request.body.count ?? 0
        guard held + content.count <= limit else {
          fail(.bodyTooLarge)
          return bytes.count
        }
        content.withUnsafeBytes { endpointRequest?.request.body.append(contentsOf: $0) }
      } catch {
        refuse(error)
        return bytes.count
      }
    }
    guard keepsPace(used) else { return bytes.count }
    if exchange.requestBody.isComplete { answer() }
    return used
  }

  private func answer() {
    guard let endpointRequest else { return }
    self.endpointRequest = nil
    ticket &+= 1
    phase = .answering
    deadline = engine.deadline(after: engine.waits.decision)
    let work = EndpointWork(connection: self, ticket: ticket)
    let request = endpointRequest.request
    let endpoint = endpointRequest.entry.endpoint
    engine.loop.task {
      work.finish(await endpoint.respond(to: request))
    }
  }

  fileprivate func finish(_ response: HTTPResponse, ticket: UInt64) {
    guard phase == .answering, self.ticket == ticket else { return }
    write(response)
    pump()
  }

  // MARK: Errors

  /// Answers a request whose head is at the start of `bytes`.
  ///
  /// - Returns: bytes done with: the whole request if all of it is there.
  func refuse(_ error: GatewayError, _ bytes: Span<UInt8>) -> Int {
    respond(response(to: error), bytes)
  }

  /// Answers a request whose head is at the start of `bytes` with a response of Postern's own.
  ///
  /// - Returns: bytes done with: the whole request if all of it is there.
  func respond(_ response: HTTPResponse, _ bytes: Span<UInt8>) -> Int {
    var used = scanner.head.byteCount
    if !exchange.requestBody.isComplete {
      let taken = try? exchange.requestBody.advanceAll(bytes.extracting(droppingFirst: used))
      used += taken ?? 0
    }
    write(response)
    return phase == .closing ? bytes.count : used
  }

  /// Answers the request under way with an error of Postern's.
  func fail(_ error: GatewayError) { write(response(to: error)) }

  private func response(to error: GatewayError) -> HTTPResponse {
    let response = error.response(requestID: exchange.requestID.text)
    return isGRPC ? response.asGRPC(message: error.sentence) : response
  }

  /// Answers what is no request. Nothing on the connection can be trusted after it.
  func refuse(_ error: WireError) {
    engine.count { $0.refusedMessages += 1 }
    if phase == .head { exchange.beginUnreadable() }
    answerRefusal(error)
  }

  func answerRefusal(_ error: WireError) {
    exchange.keepsAlive = false
    let response = HTTPResponse(
      status: error.status,
      fields: ["Content-Type": "application/problem+json", "Cache-Control": "no-store"],
      body: Array("{\"type\":\"urn:postern:error:malformed_request\",\"status\":\(error.status),\"title\":\"\(error.title)\"}".utf8))
    write(isGRPC ? response.asGRPC(message: error.title) : response)
  }

  func refuseTimeout() {
    exchange.beginUnreadable()
    write(GatewayError.requestTimeout.response(requestID: exchange.requestID.text))
  }

  /// Writes a whole response and ends the request.
  private func write(_ response: HTTPResponse) {
    if !exchange.requestBody.isComplete || engine.isDraining { exchange.keepsAlive = false }
    var response = response
    if !exchange.additions.isEmpty { exchange.additions.add(to: &response) }
    engine.outgoing.clearKeepingMemory()
    ResponseWriter.append(
      response, to: &engine.outgoing, date: engine.date, isHead: exchange.method == .head,
      persistence: exchange.persistence)
    exchange.noteOwnResponse(status: response.status, bytes: engine.outgoing.count)
    guard send(engine.outgoing.readable) else { return abandon() }
    responseIsComplete()
  }
}

/// Brings an endpoint's response back to its connection.
private struct EndpointWork: @unchecked Sendable {
  // SAFETY: made on the loop of the connection and finished by a task that runs on that loop only.
  let connection: ClientConnection
  let ticket: UInt64

  func finish(_ response: HTTPResponse) { connection.finish(response, ticket: ticket) }
}

extension WireError {
  /// One sentence for the sender.
  var title: String {
    switch self {
    case .unsupportedVersion: "HTTP/1.1 and HTTP/1.0 are spoken here."
    case .requestLineTooLong: "The request line is too long."
    case .fieldsTooLarge, .tooManyFields: "The request has too many or too large fields."
    case .unknownExpectation: "The only expectation that is met is 100-continue."
    case .badHost: "The request needs exactly one Host field that names a host."
    case .badContentLength, .badTransferEncoding, .ambiguousLength, .badChunk, .chunkExtensionsTooLarge, .badTrailers:
      "The length of the request can be read in two ways."
    default: "The request is not well-formed HTTP."
    }
  }
}
