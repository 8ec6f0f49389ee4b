import Broker
import Cryptography
import PosternTesting
import Synchronization

/// A provider that issues `token-1`, `token-2`, … unless the script says otherwise, and can be made to think.
final class ScriptedProvider: ProviderTransport {
  typealias Answer = Result<ProviderResponse, TransportFailure>

  private struct State {
    var script: [Answer] = []
    var published: [String: ProviderResponse] = [:]
    var requests: [ProviderRequest] = []
  }

  private let state = Mutex(State())
  private let gate = Turnstile()

  var callCount: Int { state.withLock { $0.requests.count } }
  var requests: [ProviderRequest] { state.withLock { $0.requests } }

  /// The next answers; after them it issues tokens.
  func script(_ answers: Answer...) { state.withLock { $0.script += answers } }

  /// Documents are answered for themselves and take nothing off the script.
  func publish(_ document: String, at url: String, status: Int = 200) {
    state.withLock { $0.published[url] = .json(status, document) }
  }

  /// Calls from now on wait for `answer`.
  func think() { gate.hold() }

  func answer() { gate.release() }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let (number, answer) = state.withLock { state -> (Int, Answer?) in
      state.requests.append(request)
      if let document = state.published[request.url.description] { return (0, .success(document)) }
      return (state.requests.count, state.script.isEmpty ? nil : state.script.removeFirst())
    }
    await gate.pass()
    return try (answer ?? .success(.token("token-\(number)"))).get()
  }
}

extension ProviderResponse {
  static func json(_ status: Int, _ body: String, retryAfter: String? = nil) -> ProviderResponse {
    ProviderResponse(status: status, contentType: "application/json", retryAfter: retryAfter, body: Secret(body))
  }

  static func token(_ token: String, expiresIn: Int = 3600) -> ProviderResponse {
    .json(200, #"{"access_token":"\#(token)","token_type":"Bearer","expires_in":\#(expiresIn)}"#)
  }
}
