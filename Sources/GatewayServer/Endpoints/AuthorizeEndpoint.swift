import HTTPWire
import OAuthCore

/// `/oauth/authorize`: where clients send the browser. Source: RFC 6749 §3.1.
public struct AuthorizeEndpoint: Endpoint {
  private let gate: PageGate
  private let flow: AuthorizationFlow

  public init(gate: PageGate, flow: AuthorizationFlow) {
    self.gate = gate
    self.flow = flow
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    switch request.method {
    case "GET", "HEAD": await answer(request, Array((request.query ?? "").utf8))
    case "POST": await posted(request)
    default: gate.refuse(.methodNotAllowed(allow: "GET, HEAD, POST"), request)
    }
  }

  private func answer(_ request: HTTPRequest, _ parameters: [UInt8]) async -> HTTPResponse {
    await gate.show(request) { (browser) async throws(PageRefusal) -> HTTPResponse in
      let step = await flow.endpoint.respond(to: parameters, session: browser.session)
      return try await flow.show(step, browser, requestID: request.requestID)
    }
  }

  /// A form of the client's site comes without our cookie (`SameSite=Lax`), as if nobody were signed in. A redirect to the
  /// same request as a GET brings the cookie along.
  private func posted(_ request: HTTPRequest) async -> HTTPResponse {
    await gate.answering(request) { () async throws(PageRefusal) -> HTTPResponse in
      try PageGate.requireForm(request)
      guard request.body.allSatisfy(AuthorizeEndpoint.isQueryByte) else { throw .malformed }
      let address = "\(request.path)?\(String(decoding: request.body, as: UTF8.self))"
      guard address.utf8.count > AuthorizationFlow.addressByteCountMax else { return .seeOther(address) }
      return await answer(request, request.body)
    }
  }

  /// Source: RFC 3986 §3.4; everything else is percent-encoded in a form.
  private static func isQueryByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: "-._~%!$&'()*+,;=:@/?".utf8.contains(byte)
    }
  }
}
