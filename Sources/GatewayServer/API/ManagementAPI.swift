import Broker
import HTTPWire
import JSON
import OAuthCore
import ReverseProxy

/// `/api/v1/…` of the admin listener: connections, and tickets to make them, for operators and applications' backends.
///
/// Callers present one of Postern's own access tokens with the scope `postern.admin`. Errors are problem documents; moments
/// are seconds since 1970-01-01T00:00:00Z, as everywhere in OAuth. No answer holds a token of a provider.
///
/// Source: RFC 6750 §2.1, §3; RFC 9457.
public struct ManagementAPI: Endpoint {
  public static let path = "/api/v1"
  static let scope = Scope("postern.admin")!

  private let verifier: any TokenVerifier
  private let connections: ConnectionsAPI
  private let tickets: ConnectTickets
  private let webhooks: WebhooksAPI

  public init(
    verifier: any TokenVerifier, connections: ConnectionsAPI, tickets: ConnectTickets, webhooks: WebhooksAPI
  ) {
    self.verifier = verifier
    self.connections = connections
    self.tickets = tickets
    self.webhooks = webhooks
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    do throws(APIRefusal) {
      let caller = try await authenticate(request)
      let segments = request.path.dropFirst(Self.path.utf8.count).split(separator: "/", omittingEmptySubsequences: false)
        .dropFirst().map(String.init)
      switch (segments.first, segments.count) {
      case ("connections", 1...3): return try await connections.respond(to: request, Array(segments.dropFirst()))
      case ("connect-tickets", 1): return try await issueTicket(request, for: caller)
      case ("webhook-deliveries", 1): return try await webhooks.list(request)
      default: throw .notFound
      }
    } catch {
      return error.response(requestID: request.requestID)
    }
  }

  private func authenticate(_ request: HTTPRequest) async throws(APIRefusal) -> ClientID {
    let credentials = request.fields.all("Authorization")
    guard let field = credentials.first else { throw .unauthenticated(nil) }
    let bytes = Array(field.utf8)
    guard credentials.count == 1, case .presented(let range) = Bearer(authorization: bytes.span),
      Bearer.isToken(bytes.span.extracting(range))
    else {
      throw .unauthenticated("invalid_request")
    }
    let facts: TokenFacts?
    do { facts = try await verifier.verify(Array(bytes[range])) } catch { throw .unavailable }
    guard let facts, Self.isFor(request.certificate, facts.constraint) else { throw .unauthenticated("invalid_token") }
    guard facts.scope.contains(Self.scope) else { throw .insufficientScope }
    return facts.client
  }

  /// Source: RFC 8705 §3.
  private static func isFor(_ certificate: [UInt8]?, _ constraint: SenderConstraint) -> Bool {
    constraint == .bearer || certificate.map { SenderConstraint(certificate: $0) } == constraint
  }

  // MARK: Tickets

  private func issueTicket(_ request: HTTPRequest, for caller: ClientID) async throws(APIRefusal) -> HTTPResponse {
    guard request.method == "POST" else { throw .methodNotAllowed("POST") }
    let body = try request.jsonObject(members: ["subject", "provider", "scopes", "return_to"])
    guard let subject = body["subject"]?.string, let provider = body["provider"]?.string else {
      throw .malformed("subject and provider are strings and must be there")
    }
    let scopes = body["scopes"]?.strings ?? []
    guard body["scopes"] == nil || body["scopes"]?.strings != nil else { throw .malformed("scopes is a list of strings") }
    guard body["return_to"] == nil || body["return_to"]?.string != nil else { throw .malformed("return_to is a string") }
    do throws(ConnectTickets.Refusal) {
      let issued = try await tickets.issue(
        for: Subject(subject), provider: ProviderID(provider), scopes: scopes, returnTo: body["return_to"]?.string,
        by: caller)
      return .json(201, [
        "ticket": .string(issued.text), "connect_url": .string(issued.connectURL),
        "expires_at": .integer(issued.expiresAt.seconds),
        "expires_in": .integer(ConnectTickets.lifetime.components.seconds),
      ])
    } catch {
      throw APIRefusal(error)
    }
  }
}

extension APIRefusal {
  fileprivate init(_ refusal: ConnectTickets.Refusal) {
    switch refusal {
    case .unknownProvider: self = .malformed("users cannot connect to a provider of this name")
    case .malformedSubject:
      self = .malformed("subject has 1 to \(ConnectTickets.subjectByteCountMax) bytes and no control characters")
    case .unknownScope(let scope): self = .malformed("the provider is not configured with the scope \(scope)")
    case .unknownReturnURI: self = .malformed("return_to is not in the list that is configured under connect")
    case .store: self = .unavailable
    }
  }
}
