import Broker
import Cryptography
import OAuthCore
import Synchronization

/// A provider that keeps grants, rotates their refresh tokens as it is told to, and counts what it is asked.
final class RotatingProvider: ProviderTransport {
  typealias Rotation = ProviderAuthorization.Rotation

  private struct Grant {
    var current: String
    var previous: String?
    var isRevoked = false
  }

  private struct State {
    var grants: [String: Grant] = [:]
    var callCount = 0
    var inFlight = 0
    var inFlightMax = 0
    var script: [ProviderResponse] = []
  }

  private let state = Mutex(State())
  private let rotation: Rotation
  /// How long it thinks before it answers.
  private let pause: Duration

  init(_ rotation: Rotation, pause: Duration = .zero) {
    self.rotation = rotation
    self.pause = pause
  }

  var callCount: Int { state.withLock { $0.callCount } }
  var inFlightMax: Int { state.withLock { $0.inFlightMax } }

  /// Answers these before it behaves again.
  func script(_ answers: ProviderResponse...) { state.withLock { $0.script += answers } }

  /// The refresh token of a new grant.
  func grant(to name: String) -> String {
    state.withLock { $0.grants[name] = Grant(current: "\(name)/0") }
    return "\(name)/0"
  }

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    state.withLock { state in
      state.callCount += 1
      state.inFlight += 1
      state.inFlightMax = max(state.inFlightMax, state.inFlight)
    }
    defer { state.withLock { $0.inFlight -= 1 } }
    if pause > .zero { try? await Task.sleep(for: pause) }
    guard let form = request.form, let pairs = try? FormDecoder.decode(form.exposedBytes),
      let token = pairs.pairs.first(where: { $0.name == "refresh_token" })?.value
    else { return Self.refusal }
    return state.withLock { state in
      if !state.script.isEmpty { return state.script.removeFirst() }
      return refresh(token, &state)
    }
  }

  private func refresh(_ token: String, _ state: inout State) -> ProviderResponse {
    let parts = token.split(separator: "/")
    guard parts.count == 2, let number = Int(parts[1]), var grant = state.grants[String(parts[0])], !grant.isRevoked else {
      return Self.refusal
    }
    defer { state.grants[String(parts[0])] = grant }
    guard token == grant.current || rotation == .grace && token == grant.previous else {
      // Reuse ends the grant. Source: RFC 9700 §4.14.2.
      grant.isRevoked = true
      return Self.refusal
    }
    if rotation != .none, token == grant.current {
      grant.previous = token
      grant.current = "\(parts[0])/\(number + 1)"
    }
    return .json(
      200, #"{"access_token":"access-\#(grant.current)-\#(state.callCount)","refresh_token":"\#(grant.current)","expires_in":3600}"#)
  }

  private static let refusal = ProviderResponse.json(400, #"{"error":"invalid_grant"}"#)
}

extension ProviderResponse {
  static func json(_ status: Int, _ body: String) -> ProviderResponse {
    ProviderResponse(status: status, contentType: "application/json", body: Secret(body))
  }
}

/// The network of an instance that is killed: what it does from then on never happens.
struct DyingTransport: ProviderTransport {
  enum Moment: CaseIterable {
    case beforeTheCall, afterTheAnswer
  }

  let base: any ProviderTransport
  let moment: Moment

  func send(_ request: ProviderRequest) async throws(TransportFailure) -> ProviderResponse {
    if moment == .afterTheAnswer { _ = try await base.send(request) }
    await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
    throw .timeout
  }
}
