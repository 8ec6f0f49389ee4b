import Broker
import Cryptography
import Synchronization

/// A provider that issues `token-1`, `token-2`, … unless the script says otherwise, and can be made to think.
final class ScriptedProvider: ProviderTransport {
  typealias Answer = Result<ProviderResponse, TransportFailure>

  private struct State {
    var script: [Answer] = []
    var requests: [ProviderRequest] = []
    var isThinking = false
    var thinkers: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  var callCount: Int { state.withLock { $0.requests.count } }
  var requests: [ProviderRequest] { state.withLock { $0.requests } }

  /// The next answers; after them it issues tokens.
  func script(_ answers: Answer...) { state.withLock { $0.script += answers } }

  /// Calls from now on wait for `answer`.
  func think() { state.withLock { $0.isThinking = true } }

  func answer() {
    let thinkers = state.withLock { state in
      state.isThinking = false
      defer { state.thinkers = [] }
      return state.thinkers
    }
    for thinker in thinkers { thinker.resume() }
  }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let (number, answer) = state.withLock { state in
      state.requests.append(request)
      return (state.requests.count, state.script.isEmpty ? nil : state.script.removeFirst())
    }
    await withCheckedContinuation { continuation in
      let mustWait = state.withLock { state in
        if state.isThinking { state.thinkers.append(continuation) }
        return state.isThinking
      }
      if !mustWait { continuation.resume() }
    }
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
