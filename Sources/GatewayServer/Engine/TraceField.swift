import EventLoop
import HTTPWire

/// The trace that a request belongs to: continued when the caller's field can be read, begun anew when not. A request
/// without one gets none.
///
/// Source: W3C Trace Context §4.3.
struct TraceField {
  /// nil: begun anew, under the digits of the request id.
  private let parent: TraceParent?

  /// - Parameter value: of `traceparent`.
  init(_ bytes: Span<UInt8>, _ value: ByteRange) { parent = TraceParent(bytes, value) }

  /// Whether `tracestate` belongs to another trace, which ended here.
  var endsState: Bool { parent == nil }

  /// `traceparent` for the upstream, with its line end.
  func append(to head: inout ByteQueue, _ bytes: Span<UInt8>, _ id: RequestID) {
    head.append("traceparent: 00-")
    appendTraceID(to: &head, bytes, id)
    head.append("-")
    id.appendSpan(to: &head)
    head.append("-")
    if let parent { head.append(bytes.extracting(parent.flags.range)) } else { head.append("00") }
    head.append("\r\n")
  }

  /// Members of the request's log line.
  func append(toLog line: inout ByteQueue, _ bytes: Span<UInt8>, _ id: RequestID) {
    line.append(",\"trace_id\":\"")
    appendTraceID(to: &line, bytes, id)
    line.append("\",\"span_id\":\"")
    id.appendSpan(to: &line)
    line.append("\"")
  }

  private func appendTraceID(to queue: inout ByteQueue, _ bytes: Span<UInt8>, _ id: RequestID) {
    if let parent { queue.append(bytes.extracting(parent.traceID.range)) } else { id.append(to: &queue) }
  }
}
