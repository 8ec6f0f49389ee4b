import HTTPWire
import ReverseProxy

/// What a request's `Origin` makes of its response. Source: WHATWG Fetch §3.3 (CORS protocol).
extension ClientConnection {
  /// Notes who may read the response of a route that has a say in it.
  func noteOrigin(_ answers: CrossOriginAnswers, _ bytes: Span<UInt8>) {
    exchange.additions.crossOrigin = switch bytes.soleField("origin", in: scanner.head.fieldLines) {
    case .value(let origin): answers.block(for: bytes.extracting(origin.range))
    case .absent, .repeated: answers.block(for: nil)
    }
  }

  /// Answers a preflight for a route that lets scripts of other origins in: without a token, which a preflight never
  /// carries, and without the upstream.
  ///
  /// - Returns: bytes done with; nil when the request is no preflight for such a route.
  func answerPreflight(_ path: Span<UInt8>, _ bytes: Span<UInt8>) -> Int? {
    guard let preflight = Preflight(scanner.head, bytes) else { return nil }
    let method = Array(preflight.method.rawValue.utf8)
    return engine.withRoutes { routes in
      let match = routes.match(
        method: method.span, host: bytes.extracting(scanner.head.authority.range), path: path)
      guard case .route(let index) = match else { return nil }
      return routes.withRoute(index) { route in
        guard let answers = route.crossOrigin else { return nil }
        exchange.take(route)
        return respond(preflight.response(by: answers, bytes), bytes)
      }
    }
  }
}

/// A request by which a browser asks whether a script may send another. Source: WHATWG Fetch §3.3.2 (CORS-preflight request).
struct Preflight {
  let origin: ByteRange
  let method: RequestMethod

  /// nil: the request is none.
  init?(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
    guard head.methodKind == .options, case .value(let origin) = bytes.soleField("origin", in: head.fieldLines),
      case .value(let asked) = bytes.soleField("access-control-request-method", in: head.fieldLines),
      let method = RequestMethod(bytes.text(asked))
    else { return nil }
    self.origin = origin
    self.method = method
  }

  func response(by answers: CrossOriginAnswers, _ bytes: Span<UInt8>) -> HTTPResponse {
    HTTPResponse(status: 204, fields: answers.preflight(from: bytes.extracting(origin.range), asking: method))
  }
}
