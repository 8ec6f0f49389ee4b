import Broker
import Cryptography
import OAuthCore
import ReverseProxy
import Synchronization

/// Everybody beside Postern who vouches for tokens, one object each for the whole process: loops and routes share what was
/// fetched and what was answered.
public final class ForeignSources: Sendable {
  /// What the operator should hear of. Holds no token and no secret.
  public enum Event: Sendable, Equatable {
    /// - Parameter withdrawn: how many keys of before are published no longer.
    case keysFetched(issuer: String, withdrawn: Int)
    /// The first of several failures in a row; what was known serves on within its bounds.
    case keysUnavailable(issuer: String, reason: String)
    /// The first of several failures in a row.
    case endpointSilent(endpoint: EndpointURL, reason: String)
  }

  public typealias Report = @Sendable (Event) -> Void

  private struct State {
    var keys: [ForeignIssuer: IssuerKeys] = [:]
    var introspectors: [IntrospectionService: Introspector] = [:]
  }

  let ownIssuer: String
  private let transport: any ProviderTransport
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  private let changes: any ChangeObserver
  private let report: Report
  private let state = Mutex(State())

  /// - Parameters:
  ///   - ownIssuer: Postern's issuer identifier; its tokens are shown to nobody.
  ///   - executor: where keys are fetched, such as a loop; nil: the default executor.
  ///   - changes: hears of keys that are withdrawn, on whatever thread; to tell the data plane.
  public init(
    ownIssuer: String, transport: any ProviderTransport, clock: any WallClock, executor: (any TaskExecutor)?,
    changes: any ChangeObserver, report: @escaping Report
  ) {
    self.ownIssuer = ownIssuer
    self.transport = transport
    self.clock = clock
    self.executor = executor
    self.changes = changes
    self.report = report
  }

  func keys(of issuer: ForeignIssuer) -> IssuerKeys {
    state.withLock { state in
      if let known = state.keys[issuer] { return known }
      let made = IssuerKeys(
        issuer, transport: transport, clock: clock, executor: executor, changes: changes, report: report)
      state.keys[issuer] = made
      return made
    }
  }

  func introspector(of service: IntrospectionService) -> Introspector {
    state.withLock { state in
      if let known = state.introspectors[service] { return known }
      let made = Introspector(service, transport: transport, clock: clock, report: report)
      state.introspectors[service] = made
      return made
    }
  }

  /// Lets go of whom no route names any longer. What they vouched for is no longer taken, since no route accepts it.
  public func keep(only routes: [Route]) {
    let sources = Set(routes.flatMap(\.access.accepts).map(\.source))
    state.withLock { state in
      state.keys = state.keys.filter { sources.contains(.issuer($0.key)) }
      state.introspectors = state.introspectors.filter { sources.contains(.introspection($0.key)) }
    }
  }

  /// What these sources make of a token that was presented on a route; for explanations.
  public func finding(_ token: [UInt8], to destination: TokenDispatch.Destination) async -> Finding {
    switch destination {
    case .own: return .own
    case .nobody(let refusal): return .refused(refusal)
    case .issuer(let issuer, let jwt):
      switch await keys(of: issuer).judgement(of: jwt, SHA256.digest(token)) {
      case .vouched(let vouched): return .vouched(vouched)
      case .refused(let refusal): return .refused(refusal)
      case .unavailable, .wait: return .unavailable("the issuer's keys cannot be had")
      }
    case .introspection(let service):
      switch await introspector(of: service).outcome(of: token, SHA256.digest(token)) {
      case .vouched(let vouched): return .vouched(vouched)
      case .refused(let refusal): return .refused(refusal)
      case .unavailable(let reason): return .unavailable(reason)
      }
    }
  }

  public enum Finding: Sendable {
    /// Postern's own verifier is to be asked.
    case own
    case vouched(VouchedToken)
    case refused(ForeignRefusal)
    case unavailable(String)
  }
}
