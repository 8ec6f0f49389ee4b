import HTTPWire
import ReverseProxy

/// How a request stands to the route's `cors`.
extension RequestExplanation {
  /// - Returns: whether the request is a preflight that Postern answers.
  mutating func explainPreflight(
    _ head: borrowing RequestHead, _ bytes: Span<UInt8>, path: Span<UInt8>, host: Span<UInt8>, _ routes: RouteTable
  ) -> Bool {
    guard let preflight = Preflight(head, bytes) else { return false }
    let method = Array(preflight.method.rawValue.utf8)
    guard case .route(let index) = routes.match(method: method.span, host: host, path: path),
      let rule = routes.routes[index].crossOrigin
    else { return false }
    let response = preflight.response(by: CrossOriginAnswers(rule), bytes)
    let isLetIn = response.fields["Access-Control-Allow-Origin"] != nil
    note("route", "\(routes.routes[index].name), for \(routes.routes[index].pattern)")
    note("preflight", "for \(preflight.method) from \(bytes.text(preflight.origin)), which \(isLetIn ? "is" : "is not") let in")
    outcome = .answered(status: response.status, sentence: "Postern answers preflights of this route.")
    return true
  }

  mutating func explainOrigin(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ route: Route) {
    guard let rule = route.crossOrigin, case .value(let origin) = bytes.soleField("origin", in: head.fieldLines) else { return }
    let fields = CrossOriginAnswers(rule).block(for: bytes.extracting(origin.range)).fields
    let isLetIn = fields["Access-Control-Allow-Origin"] != nil
    note("origin", "\(bytes.text(origin)): its scripts \(isLetIn ? "may" : "may not") read the answer")
  }
}
