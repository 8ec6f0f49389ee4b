/// What is known of an attempt to refresh that brought no credential. Raw values are stored.
///
/// An attempt without an outcome, as a crash leaves it, is taken for `unknown`.
public enum RefreshAttemptOutcome: String, Sendable, Hashable, CaseIterable {
  /// The provider was not reached, or said no: what was presented is as good as before.
  case failed
  /// The provider may have answered with a token that we have not got; where it rotates, what was presented is dead then.
  case unknown
  /// The provider was not asked: an earlier attempt is in doubt, and a second use may end the connection.
  case postponed

  init(_ failure: TokenEndpointFailure) {
    guard case .transient(let cause, _) = failure else {
      self = .failed
      return
    }
    self =
      switch cause {
      case .transport(.timeout), .transport(.tooLarge), .transport(.protocolError): .unknown
      case .transport(.refusedAddress), .transport(.resolution), .transport(.connect), .transport(.tls),
        .transport(.overloaded), .undiscovered: .failed
      // A gateway that lost the answer of the token endpoint behind it. Source: RFC 9110 §15.6.3, §15.6.5.
      case .status(502), .status(504): .unknown
      case .status, .announced: .failed
      // A success that cannot be read is one all the same.
      case .html(let status): (200..<300).contains(status) ? .unknown : .failed
      case .malformed: .unknown
      }
  }
}
