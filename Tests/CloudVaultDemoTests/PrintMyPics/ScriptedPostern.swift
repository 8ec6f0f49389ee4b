import Broker
import Cryptography
import Synchronization

/// Answers calls with the next of its script, and remembers them.
final class ScriptedPostern: ProviderTransport {
  private struct State {
    var script: [Result<ProviderResponse, TransportFailure>]
    var requests: [ProviderRequest] = []
  }

  private let state: Mutex<State>

  init(_ script: Result<ProviderResponse, TransportFailure>...) { state = Mutex(State(script: script)) }

  var requests: [ProviderRequest] { state.withLock { $0.requests } }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    let answer = state.withLock { state in
      state.requests.append(request)
      return state.script.isEmpty ? .failure(.connect) : state.script.removeFirst()
    }
    return try answer.get()
  }
}

extension Result where Success == ProviderResponse, Failure == TransportFailure {
  static func json(_ status: Int, _ body: String) -> Self {
    .success(ProviderResponse(status: status, contentType: "application/json", body: Secret(body)))
  }

  static func tokens(_ access: String, refresh: String) -> Self {
    .json(200, #"{"access_token":"\#(access)","token_type":"Bearer","refresh_token":"\#(refresh)","expires_in":600}"#)
  }

  static var photos: Self { .json(200, #"{"photos":[{"id":"1","title":"Dawn <3"},{"id":"2","title":"Snow"}]}"#) }
}
