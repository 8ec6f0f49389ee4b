import Broker
import HTTPWire
import JSON
import OAuthCore

/// `/api/v1/webhook-deliveries`: what was told to whom, the newest first, and what came of it.
public struct WebhooksAPI: Sendable {
  private let store: any WebhookStore

  public init(store: any WebhookStore) { self.store = store }

  func list(_ request: HTTPRequest) async throws(APIRefusal) -> HTTPResponse {
    guard request.method == "GET" else { throw .methodNotAllowed("GET") }
    let query = try PageQuery(request)
    do throws(StoreFailure) {
      let found = try await store.deliveries(before: query.last, count: query.count + 1)
      let page = found.prefix(query.count)
      var body: JSONObject = ["deliveries": .array(page.map { .object($0.json) })]
      if found.count > query.count, let last = page.last { body["next_cursor"] = .string("\(last.id)") }
      return .json(200, body)
    } catch {
      throw .unavailable
    }
  }
}

extension RecordedDelivery {
  fileprivate var json: JSONObject {
    var object: JSONObject = [
      "id": .string("\(id)"), "webhook_id": .string("msg_\(event)"), "endpoint": .string(endpoint), "type": .string(type),
      "created_at": .integer(createdAt.seconds), "attempts": .integer(Int64(attempts)),
      "state": .string(isDelivered ? "delivered" : dueAt == nil ? "given_up" : "pending"),
    ]
    if let dueAt { object["next_attempt_at"] = .integer(dueAt.seconds) }
    if let lastResult { object["last_result"] = .string(lastResult) }
    return object
  }
}
