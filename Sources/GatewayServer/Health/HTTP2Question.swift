import HTTPWire
import ReverseProxy

/// One GET in HTTP/2, on a session of its own.
final class HTTP2Question: HTTP2SessionOwner {
  enum Answer: Equatable {
    /// Of the final response.
    case status(Int)
    /// The stream ended without one, or could not begin.
    case failed
  }

  let session: HTTP2Session
  private var head: HTTP2ResponseHead
  /// nil: not yet.
  private(set) var answer: Answer?

  /// - Parameters:
  ///   - request: a head of HTTP/1.1, without the empty line.
  ///   - limits: of the response head.
  init(_ request: String, to scheme: Origin.Scheme, limits: WireLimits) {
    session = HTTP2Session(.client, HTTP2Session.Settings())
    head = HTTP2ResponseHead(fieldBytesMax: limits.fieldBytes)
    session.attach(to: self)
    var scanner = RequestScanner()
    let bytes = Array("\(request)\r\n".utf8)
    let isWhole = (try? scanner.scan(bytes.span)) == true
    let stream = isWhole ? session.submit(scanner.head, bytes.span, scheme: scheme.wireName, hasContent: false) : nil
    if stream == nil { answer = .failed }
  }

  func fieldsBegan(on stream: Int32) { head.reset() }

  func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    if answer == nil { try head.take(name: name, value: value) }
  }

  func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {
    guard answer == nil else { return }
    _ = try head.finish(answersHead: false, endsStream: endsStream)
    if !head.isInterim { answer = .status(head.statusCode) }
  }

  func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) { if answer == nil { answer = .failed } }

  // The rest of the answer does not matter.
  func contentCame(on stream: Int32, _ bytes: Span<UInt8>) {}
  func inputEnded(on stream: Int32) {}
  func content(for stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content { .none }
  func endWasSent(on stream: Int32) {}
  func goAwayCame() {}
  func settingsCame() {}
}
