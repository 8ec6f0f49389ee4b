import Broker
import EventLoop
import ReverseProxy

/// A route with everything prepared that one loop needs to serve it.
final class LoopRoute {
  let route: Route
  /// Different for every route of every snapshot: verdicts are remembered under it.
  let serial: UInt64
  let group: UpstreamGroup
  let credential: LoopCredential
  /// That of `.fixed`, else empty.
  let fixedLine: LastingBytes
  let rewrite: PathRewrite
  let addedPrefix: [UInt8]
  let strippedFields: [[UInt8]]
  let isAnonymous: Bool
  /// Whether a browser session is taken in place of a token.
  let takesSessions: Bool
  let bodyBytesMax: Int?
  /// Whether `crossOrigin` is there.
  let isCrossOrigin: Bool
  let crossOrigin: CrossOriginAnswers?
  /// Whether each address has a rate of its own, and whether each client or subject has.
  let limitsAddresses: Bool
  let limitsCallers: Bool
  let rate: RouteRate?
  let allowsWebSocket: Bool
  /// Whether the upstream hears of clients' certificates.
  let tellsCertificate: Bool
  /// nil: only Postern's own tokens are taken.
  let foreign: ForeignGate?

  /// - Parameter rates: nil: the route has none.
  init(
    _ route: Route, serial: UInt64, group: UpstreamGroup, credential: LoopCredential, rates: RateTable?,
    foreign: ForeignGate? = nil
  ) {
    self.route = route
    self.serial = serial
    self.group = group
    self.credential = credential
    if case .fixed(let line) = credential { fixedLine = LastingBytes(line) } else { fixedLine = LastingBytes([]) }
    rewrite = route.rewrite
    addedPrefix = route.rewrite.addedPrefix
    strippedFields = route.strippedFields
    isAnonymous = route.access.isAnonymous
    takesSessions = route.access.session != nil
    bodyBytesMax = route.limits.bodyBytesMax
    crossOrigin = route.crossOrigin.map { CrossOriginAnswers($0) }
    isCrossOrigin = crossOrigin != nil
    rate = rates.map { RouteRate($0, route: route.name) }
    limitsAddresses = rates?.rule.key == .address
    limitsCallers = rates != nil && !limitsAddresses
    allowsWebSocket = route.streams.allowsWebSocket
    tellsCertificate = route.clientCertificate != .none
    self.foreign = foreign
  }
}

/// A snapshot as one loop serves it.
final class LoopRoutes {
  private let table: RouteTable
  private let routes: [LoopRoute]
  // SAFETY: of `routes`.
  private let references: [Unmanaged<LoopRoute>]
  /// Whether some route lets scripts of other origins in.
  let answersPreflights: Bool

  init(table: RouteTable, routes: [LoopRoute]) {
    self.table = table
    self.routes = routes
    references = routes.map { .passUnretained($0) }
    answersPreflights = routes.contains { $0.isCrossOrigin }
  }

  func match(method: Span<UInt8>, host: Span<UInt8>, path: Span<UInt8>) -> RouteMatch {
    table.match(method: method, host: host, path: path)
  }

  /// Lends a route of a match, without counting a reference.
  @inline(__always)
  func withRoute<Result>(_ index: Int, _ body: (LoopRoute) -> Result) -> Result {
    references[index]._withUnsafeGuaranteedRef(body)
  }
}

/// What a route sends in place of the caller's token.
enum LoopCredential {
  case none
  /// The whole field line, ready to be sent.
  case fixed([UInt8])
  case provider(ProviderCredential)
  /// The credential that the subject of the presented token has connected, or that a provider gives for it.
  case connections(LoopConnections)
  /// Who the subject is, signed.
  case assertions(LoopAssertions)
}
