import EventLoop
import HTTPWire
import ReverseProxy

/// What the policies of a route add to the response of the request under way, whoever makes it: the upstream or Postern.
struct ResponseAdditions {
  /// Looked at once per response: most routes add nothing.
  private(set) var isEmpty = true
  /// Who may read the response. While it is there, the upstream's own word on that is withheld.
  var crossOrigin: FieldBlock? { didSet { isEmpty = false } }
  /// Whether a cookie decided who gets the response: a shared cache must not give it to others. What came with
  /// `Authorization` it knows to keep to itself. Source: RFC 9111 §3.5, §4.1.
  var variesByCookie = false { didSet { isEmpty = false } }
  /// What the route's rate made of the request.
  var rate: (fields: RateFields, verdict: RateVerdict)? { didSet { isEmpty = false } }

  func append(to outgoing: inout ByteQueue) {
    if let crossOrigin { outgoing.append(crossOrigin.lines) }
    if variesByCookie { outgoing.append("Vary: Cookie\r\n") }
    if let rate {
      for (name, value) in Self.fields(of: rate) { outgoing.append("\(name): \(value)\r\n") }
    }
  }

  func add(to response: inout HTTPResponse) {
    for (name, value) in crossOrigin?.fields.entries ?? [] { response.fields.append(name, value) }
    if variesByCookie { response.fields.append("Vary", "Cookie") }
    if let rate {
      for (name, value) in Self.fields(of: rate) { response.fields.append(name, value) }
    }
  }

  private static func fields(
    of rate: (fields: RateFields, verdict: RateVerdict)
  ) -> [(name: String, value: String)] {
    [(RateFields.policyName, rate.fields.policy), (RateFields.stateName, rate.fields.state(rate.verdict))]
  }
}
