import Broker
import HTTPWire
import JSON
import OAuthCore

/// `/api/v1/connections`: what users have connected, for whoever may look after all of it.
public struct ConnectionsAPI: Sendable {
  private let directory: any ConnectionDirectory
  private let credentials: LiveCredentials
  private let connector: Connector

  public init(directory: any ConnectionDirectory, credentials: LiveCredentials, connector: Connector) {
    self.directory = directory
    self.credentials = credentials
    self.connector = connector
  }

  /// - Parameter segments: of the path, after `connections`.
  func respond(to request: HTTPRequest, _ segments: [String]) async throws(APIRefusal) -> HTTPResponse {
    switch (segments.count, request.method) {
    case (0, "GET"): return try await list(request)
    case (0, _): throw .methodNotAllowed("GET")
    case (1, "GET"): return .json(200, try await find(segments[0]).json)
    case (1, "DELETE"): return try await revoke(segments[0])
    case (1, _): throw .methodNotAllowed("GET, DELETE")
    case (2, "POST") where segments[1] == "refresh": return try await refresh(segments[0])
    case (2, _) where segments[1] == "refresh": throw .methodNotAllowed("POST")
    default: throw .notFound
    }
  }

  // MARK: Looking

  /// `provider` and `subject` narrow it down.
  private func list(_ request: HTTPRequest) async throws(APIRefusal) -> HTTPResponse {
    let query = try PageQuery(request, filters: ["provider", "subject"])
    do throws(StoreFailure) {
      // One more tells whether there is another page.
      let found = try await directory.connections(
        of: query["provider"].map { ProviderID($0) }, subject: query["subject"].map { Subject($0) }, after: query.last,
        count: query.count + 1)
      let page = found.prefix(query.count)
      var body: JSONObject = ["connections": .array(page.map { .object($0.json) })]
      if found.count > query.count, let last = page.last { body["next_cursor"] = .string("\(last.id)") }
      return .json(200, body)
    } catch {
      throw .unavailable
    }
  }

  private func find(_ id: String) async throws(APIRefusal) -> ConnectionDetails {
    do throws(StoreFailure) {
      if let found = try await directory.connection(id: id) { return found }
    } catch {
      throw .unavailable
    }
    throw .notFound
  }

  // MARK: Acting

  /// Gets a new access token from the provider now.
  private func refresh(_ id: String) async throws(APIRefusal) -> HTTPResponse {
    let connection = try await find(id)
    do throws(BrokerFailure) {
      _ = try await credentials.credential(
        for: connection.key.provider, of: connection.key.owner, replacing: connection.generation)
    } catch {
      throw APIRefusal(error)
    }
    return .json(200, try await find(id).json)
  }

  /// Ends it here and at the provider. A connection that has ended stays so.
  private func revoke(_ id: String) async throws(APIRefusal) -> HTTPResponse {
    let connection = try await find(id)
    guard case .subject(let subject) = connection.key.owner else { throw .notFound }
    if connection.state != .revoked {
      do { try await connector.disconnect(connection.key.provider, of: subject) } catch { throw .unavailable }
    }
    return HTTPResponse(status: 204, fields: ["Cache-Control": "no-store"])
  }
}

extension APIRefusal {
  fileprivate init(_ failure: BrokerFailure) {
    switch failure {
    case .unavailable(let pause): self = .providerUnavailable(retryAfter: max(1, Int(pause.components.seconds)))
    case .refused(let refusal, _): self = .providerRefuses(refusal)
    case .notConnected, .needsReauthentication: self = .needsReauthentication
    case .unknownProvider: self = .conflict("the configuration no longer has this provider")
    }
  }
}

extension ConnectionDetails {
  /// For people and programs; nothing in it is secret.
  var json: JSONObject {
    var object: JSONObject = ["id": .string("\(id)"), "provider": .string(key.provider.rawValue)]
    if case .subject(let subject) = key.owner { object["subject"] = .string(subject.rawValue) }
    switch state {
    case .active: object["state"] = "active"
    case .revoked: object["state"] = "revoked"
    case .needsReauthentication(let reason):
      object["state"] = "needs_reauth"
      object["reason"] = .string(reason.rawValue)
    }
    object["scopes"] = .array(scopes.map(JSON.string))
    object["connected_at"] = .integer(connectedAt.seconds)
    for (name, moment) in [("last_used_at", usedAt), ("expires_at", expiresAt), ("refresh_at", renewAt)] {
      if let moment { object[name] = .integer(moment.seconds) }
    }
    return object
  }
}
