/// Why a request may be sent once more.
public enum RetryCause: String, Sendable, CaseIterable {
  /// The connection did not come about, so nothing of the request was sent.
  case connectFailure = "connect_failure"
  /// The connection broke before the response head.
  case reset
  case badGateway = "502"
  case serviceUnavailable = "503"
  case gatewayTimeout = "504"

  /// nil: the upstream's answer, or what it did, is final.
  public init?(status: Int) {
    switch status {
    case 502: self = .badGateway
    case 503: self = .serviceUnavailable
    case 504: self = .gatewayTimeout
    default: return nil
    }
  }

  /// - Parameter isUnsent: whether no byte of the request was handed to the connection.
  public init?(_ error: GatewayError, isUnsent: Bool) {
    switch error {
    case _ where isUnsent: self = .connectFailure
    case .connectionTerminated: self = .reset
    default: return nil
    }
  }
}

/// One try that failed, as far as a further one depends on it.
public struct FailedTry: Sendable, Hashable {
  public var cause: RetryCause
  /// Of the request. Source: RFC 9110 §9.2.2.
  public var isIdempotent: Bool
  /// Whether all that was sent of the request is still there to be sent again.
  public var isReplayable: Bool
  /// Whether the upstream itself said when to come again.
  public var namesRetryTime: Bool

  public init(cause: RetryCause, isIdempotent: Bool, isReplayable: Bool, namesRetryTime: Bool = false) {
    self.cause = cause
    self.isIdempotent = isIdempotent
    self.isReplayable = isReplayable
    self.namesRetryTime = namesRetryTime
  }

  /// Whether the same server may get the request again when there is no other. A connection that did not come about will
  /// not do so a moment later.
  public var mayReturn: Bool { cause != .connectFailure }
}

/// When a request is sent once more, to another server if there is one.
public struct RetryRule: Sendable, Hashable {
  /// Further tries of one request. 0: none.
  public var attempts = 2
  /// Further tries in percent of the requests, so that an outage is not multiplied; see `RetryBudget`.
  public var budget = 20
  public var causes: Set<RetryCause> = [.connectFailure, .reset]

  public init() {}

  /// Whether the request may be sent again without anybody seeing it twice who must not: nothing of it was sent, or its
  /// method is idempotent. Source: RFC 9110 §9.2.2.
  ///
  /// - Parameter count: further tries so far.
  public func permits(_ failed: FailedTry, after count: Int) -> Bool {
    guard count < attempts, causes.contains(failed.cause), failed.isReplayable else { return false }
    guard failed.cause != .connectFailure else { return true }
    return failed.isIdempotent && !failed.namesRetryTime
  }
}
