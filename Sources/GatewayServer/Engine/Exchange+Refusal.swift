import EventLoop
import HTTPWire
import OAuthCore
import ReverseProxy

/// An upstream that does not take a credential which Postern has obtained for it: the credential is replaced, and the
/// request sent once more if all of it is still there.
///
/// The response is held meanwhile. It goes to the client after all when no successor comes, or cannot help.
extension Exchange {
  /// Takes note of a 401, before anything of it is forwarded.
  ///
  /// - Returns: whether the response does not go out now: it is held, or its connection was given up.
  func heeds401(from connection: UpstreamConnection) -> Bool {
    guard !hasHeededRefusal, let credential = renewableCredential else { return false }
    hasHeededRefusal = true
    let succession = credential.replace(credentialGeneration, at: engine.wallNow)
    // A request that has passed by is not sent again, but the next one goes out with the successor.
    guard isRepeatable else { return false }
    switch succession {
    case .none: return false
    case .here:
      sendAgain(with: credential)
      return true
    case .coming:
      let hold = connection.hold()
      credential.wait { [self] failure in
        guard connection.isHeld(hold) else { return }
        switch failure {
        case nil where credential.generation > credentialGeneration: sendAgain(with: credential)
        case .notConnected, .needsReauthentication: askToConnect()
        default: connection.release()
        }
        withClient { $0.pump() }
      }
      return true
    }
  }

  /// Whether all that was sent of the request is still there, and nothing more is to come.
  private var isRepeatable: Bool { isReplayable && isRequestSent }

  private var renewableCredential: ProviderCredential? {
    switch route?.credential {
    case .provider(let credential): credential
    case .connections(let connections): token.map { connections.credential(of: $0.facts.subject) }
    case .fixed, .assertions, .some(.none), nil: nil
    }
  }

  private func sendAgain(with credential: ProviderCredential) {
    guard let server = abandonUpstream(), let line = credential.currentLine(at: engine.wallNow) else {
      return withClient { $0.fail(.credentialUnavailable(retryable: true)) }
    }
    credentialGeneration = credential.generation
    engine.count { $0.upstreamRetries += 1 }
    replaceCredentialLine(by: line)
    send(to: server)
  }

  private func askToConnect() {
    guard case .connections(let connections)? = route?.credential else {
      return withClient { $0.fail(.credentialUnavailable(retryable: false)) }
    }
    abandonUpstream()
    withClient { $0.fail(.connectionRequired(connectURL: connections.connectURL)) }
  }
}
