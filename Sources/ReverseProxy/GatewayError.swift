import HTTPWire
import JSON

/// What the data plane answers when it does not forward, or when the upstream gave it nothing to forward.
///
/// Its answers are `application/problem+json` with a `type` of Postern's own, so no caller takes them for the upstream's.
/// Those about the upstream carry `Proxy-Status` as well.
///
/// Source: RFC 9457 §3; RFC 9209 §2.3 for the error types, their names and statuses.
public enum GatewayError: Error, Sendable, Equatable {
  // The caller's fault.
  case badTarget(PathRefusal)
  case routeNotFound
  case methodNotAllowed(allow: String)
  case accessDenied(AccessDenial, AccessPolicy)
  case bodyTooLarge
  case requestTimeout
  /// The request has passed this deployment already: forwarding it would send it round again.
  case loopDetected
  /// A browser session alone, for something that another site's page could have made the browser do.
  case crossSiteRequest
  /// The connection's certificate is not for the host that the request names.
  case misdirected
  /// The caller sends more than the route takes of it. Seconds until it takes one more.
  case rateLimited(retryAfter: Int)

  // The upstream's, or of the way to it.
  case dnsError
  /// No server of the upstream takes requests now; seconds until one may.
  case destinationUnavailable(retryAfter: Int)
  case connectionRefused
  case connectionTimeout
  case connectionTerminated
  case connectionLimitReached
  case tlsProtocolError
  case tlsCertificateError
  case responseTimeout
  case responseIncomplete
  case responseHeadTooLarge
  case responseMalformed
  /// The upstream does not take WebSockets over the HTTP/2 that it is spoken to in.
  case upgradeFailed

  // Postern's own.
  /// The credential for the upstream could not be had; `retryable` when another try may do.
  case credentialUnavailable(retryable: Bool)
  /// The caller's subject has to connect an account at a provider first, or again, in a browser.
  case connectionRequired(connectURL: String)
  /// The route is for one connection, and its owner is another subject.
  case connectionNotOwned
  /// The store could not say whether the token is good, and a stale yes is not given.
  case verificationUnavailable
  case overloaded
  case shuttingDown
  case internalError

  public var status: Int {
    switch self {
    case .badTarget: 400
    case .routeNotFound: 404
    case .methodNotAllowed: 405
    case .accessDenied(let denial, _): denial.status
    case .bodyTooLarge: 413
    case .requestTimeout: 408
    // Source: RFC 5842 §7.2.
    case .loopDetected: 508
    // Source: RFC 6585 §4.
    case .rateLimited: 429
    case .crossSiteRequest, .connectionNotOwned: 403
    // Source: RFC 9110 §15.5.20.
    case .misdirected: 421
    case .dnsError, .connectionRefused, .connectionTerminated, .tlsProtocolError, .tlsCertificateError,
      .responseIncomplete, .responseHeadTooLarge, .responseMalformed, .upgradeFailed:
      502
    case .connectionTimeout, .responseTimeout: 504
    // Source: RFC 4918 §11.4: what the request depends on was not done.
    case .connectionRequired: 424
    case .destinationUnavailable, .connectionLimitReached, .verificationUnavailable, .overloaded, .shuttingDown: 503
    case .credentialUnavailable(let retryable): retryable ? 503 : 502
    case .internalError: 500
    }
  }

  /// Seconds after which another try makes sense. Source: RFC 9110 §10.2.3.
  public var retryAfter: Int? {
    if case .destinationUnavailable(let seconds) = self { return seconds }
    if case .rateLimited(let seconds) = self { return seconds }
    return status == 503 ? 1 : nil
  }

  /// Whether it says that the server is not well, rather than what it does not do for anybody.
  public var speaksAgainstServer: Bool { self != .upgradeFailed }

  /// The `error` parameter of `Proxy-Status`; nil when the exchange with the upstream is not what failed.
  public var proxyErrorType: String? {
    switch self {
    case .dnsError: "dns_error"
    case .destinationUnavailable: "destination_unavailable"
    case .connectionRefused: "connection_refused"
    case .connectionTimeout: "connection_timeout"
    case .connectionTerminated: "connection_terminated"
    case .connectionLimitReached: "connection_limit_reached"
    case .tlsProtocolError: "tls_protocol_error"
    case .tlsCertificateError: "tls_certificate_error"
    case .responseTimeout: "http_response_timeout"
    case .responseIncomplete: "http_response_incomplete"
    case .responseHeadTooLarge: "http_response_header_section_size"
    case .responseMalformed: "http_protocol_error"
    case .upgradeFailed: "http_upgrade_failed"
    case .loopDetected: "proxy_loop_detected"
    case .credentialUnavailable, .verificationUnavailable, .overloaded, .shuttingDown, .internalError:
      "proxy_internal_error"
    case .badTarget, .routeNotFound, .methodNotAllowed, .accessDenied, .bodyTooLarge, .requestTimeout, .crossSiteRequest,
      .misdirected, .rateLimited, .connectionRequired, .connectionNotOwned:
      nil
    }
  }

  /// The last part of the problem's `type`.
  public var code: String {
    switch self {
    case .badTarget: "bad_target"
    case .routeNotFound: "route_not_found"
    case .methodNotAllowed: "method_not_allowed"
    case .accessDenied(.missingToken, _): "missing_token"
    case .accessDenied(let denial, _): denial.rawValue
    case .bodyTooLarge: "body_too_large"
    case .requestTimeout: "request_timeout"
    case .loopDetected: "loop_detected"
    case .rateLimited: "rate_limited"
    case .crossSiteRequest: "cross_site_request"
    case .misdirected: "misdirected_request"
    case .connectionRequired: "connection_required"
    case .connectionNotOwned: "connection_not_owned"
    case .credentialUnavailable: "credential_unavailable"
    case .verificationUnavailable: "verification_unavailable"
    case .overloaded: "overloaded"
    case .shuttingDown: "shutting_down"
    case .internalError: "internal_error"
    default: proxyErrorType ?? "internal_error"
    }
  }

  /// One sentence for the caller; nothing of the upstream's address or the cause beyond its kind.
  public var sentence: String {
    switch self {
    case .badTarget(let refusal): refusal.description
    case .routeNotFound: "No route serves this path."
    case .methodNotAllowed: "The route of this path does not take this method."
    case .accessDenied(let denial, _): denial.sentence
    case .bodyTooLarge: "The request body is longer than this route takes."
    case .requestTimeout: "The request did not arrive in time."
    case .loopDetected: "The request came back to the gateway that had forwarded it: upstreams lead in a circle."
    case .crossSiteRequest: "The browser does not say that a page of this site sent the request, so its session does not count."
    case .misdirected: "The certificate of this connection is not for this host; ask for the host on a connection of its own."
    case .rateLimited: "Too many requests: this route takes fewer of each caller."
    case .dnsError: "The upstream's name could not be resolved."
    case .destinationUnavailable: "No server of the upstream is well at the moment."
    case .connectionRefused: "The upstream refused the connection."
    case .connectionTimeout: "The upstream did not accept the connection in time."
    case .connectionTerminated: "The upstream closed the connection before it answered."
    case .connectionLimitReached: "Too many requests to the upstream are under way."
    case .tlsProtocolError: "No TLS session with the upstream could be made."
    case .tlsCertificateError: "The upstream's certificate was not accepted."
    case .responseTimeout: "The upstream did not answer in time."
    case .responseIncomplete: "The upstream's answer broke off."
    case .responseHeadTooLarge: "The head of the upstream's answer is too large."
    case .responseMalformed: "The upstream's answer is not well-formed HTTP."
    case .upgradeFailed: "The upstream does not take WebSockets."
    case .connectionRequired: "The user has to connect an account for this: open connect_url in a browser."
    case .connectionNotOwned: "The connection that this route uses is not the caller's."
    case .credentialUnavailable: "The credential for the upstream could not be obtained."
    case .verificationUnavailable: "The access token cannot be verified at the moment."
    case .overloaded: "The gateway has more work than it can take."
    case .shuttingDown: "The gateway is shutting down."
    case .internalError: "The gateway failed."
    }
  }

  /// The whole answer.
  ///
  /// - Parameter requestID: the id under which the log has the rest.
  public func response(requestID: String) -> HTTPResponse {
    var body: JSONObject = [
      "type": .string("urn:postern:error:\(code)"), "title": .string(sentence), "status": .integer(Int64(status)),
      "request_id": .string(requestID),
    ]
    if case .connectionRequired(let url) = self { body["connect_url"] = .string(url) }
    var fields: HTTPFields = [
      "Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Request-Id": requestID,
    ]
    if let proxyErrorType { fields.append("Proxy-Status", "postern; error=\(proxyErrorType)") }
    if let retryAfter { fields.append("Retry-After", String(retryAfter)) }
    switch self {
    case .methodNotAllowed(let allow): fields.append("Allow", allow)
    case .accessDenied(let denial, let policy): fields.append("WWW-Authenticate", denial.challenge(for: policy))
    default: break
    }
    return HTTPResponse(status: status, fields: fields, body: body.bytes)
  }
}
