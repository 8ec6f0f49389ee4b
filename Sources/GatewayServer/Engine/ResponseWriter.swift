import EventLoop
import HTTPWire

/// Writes whole responses of Postern's own.
enum ResponseWriter {
  /// What becomes of the connection after the response. Source: RFC 9112 §9.3.
  enum Persistence {
    case keepAlive
    /// Said to an HTTP/1.0 client, which takes silence for closing.
    case keepAliveHTTP10
    case close
  }

  static func append(
    _ response: HTTPResponse, to queue: inout ByteQueue, date: DateField, isHead: Bool, persistence: Persistence
  ) {
    queue.reserve(512 + response.body.count)
    queue.append("HTTP/1.1 ")
    queue.append(decimal: response.status)
    queue.append(" ")
    queue.append(reason(response.status))
    queue.append("\r\n")
    queue.append(dateLine: date)
    for (name, value) in response.fields.entries {
      queue.append(name)
      queue.append(": ")
      queue.append(value)
      queue.append("\r\n")
    }
    // Source: RFC 9110 §8.6: no Content-Length in a 204; a 304 would have to know the representation's.
    let hasBody = response.status != 204 && response.status != 304
    if hasBody {
      queue.append("Content-Length: ")
      queue.append(decimal: response.body.count)
      queue.append("\r\n")
    }
    switch persistence {
    case .keepAlive: break
    case .keepAliveHTTP10: queue.append("Connection: keep-alive\r\n")
    case .close: queue.append("Connection: close\r\n")
    }
    queue.append("\r\n")
    if hasBody, !isHead { queue.append(response.body) }
  }

  /// Source: RFC 9110 §15.
  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 424: "Failed Dependency"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case 508: "Loop Detected"
    default: ""
    }
  }
}

extension ByteQueue {
  mutating func append(dateLine date: DateField) {
    append("Date: ")
    append(date.bytes)
    append("\r\n")
  }

  mutating func append(decimal number: Int) {
    precondition(number >= 0, "sizes and statuses are not negative")
    var digits: InlineArray<20, UInt8> = .init(repeating: 0)
    var start = 20
    var rest = number
    repeat {
      start &-= 1
      digits[start] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
      rest /= 10
    } while rest > 0
    append(digits.span.extracting(start..<20))
  }
}
