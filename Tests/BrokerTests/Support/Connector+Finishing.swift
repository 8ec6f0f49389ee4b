import OAuthCore

@testable import Broker

extension Connector {
  /// Comes back and finishes, as one step.
  func finish(
    _ id: ProviderID, state: String?, _ answer: Answer, for subject: Subject, session: Locator
  ) async throws(Failure) {
    let flow = try await comeBack(id, state: state, signedIn: subject, session: session)
    try await finish(id, answer, of: flow)
  }
}
