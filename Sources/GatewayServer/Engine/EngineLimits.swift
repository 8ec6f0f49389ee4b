import EventLoop
import HTTPWire
import ReverseProxy

/// What the engine takes, holds and waits for; per loop where not said otherwise.
public struct EngineLimits: Sendable {
  public var request = ReverseProxy.Limits()
  /// Loops that serve together, and share what the configuration allows the whole process.
  public var loopCount = 1
  /// Bytes of a body taken from a socket at once: at gigabytes a second, a system call and a wake-up of the reader for each
  /// 64 KiB show. Small enough for a core's own cache.
  public var receptionBytes = 256 << 10
  /// The same where a head may begin: what comes with a head that has to wait is held.
  public var headReceptionBytes = 64 << 10
  /// Bytes that may wait for a slow reader before its sender is no longer read; one reception comes on top of them.
  /// The kernel's own buffers are what keeps a connection busy meanwhile.
  public var highWatermark = 64 << 10
  /// Bytes that still wait when the sender is read again.
  public var lowWatermark = 32 << 10
  /// Bytes of a request that are kept, while nothing of it was sent, to be sent to another server.
  public var replayBytes = 64 << 10
  /// Connections to one upstream server that speaks HTTP/2; as many streams as it allows go over each.
  public var http2UpstreamConnections = 64
  /// Pooled connections without a request, per upstream server: as many as clients can have had in use together. With fewer,
  /// a load of thousands at once closes and makes connections all the time; the time-out below ends them when it is over.
  public var idleUpstreamConnections = 20_000
  /// Below the keep-alive time of common servers, so that they rarely close just when a request is sent.
  public var idleUpstreamTimeout: Duration = .seconds(30)
  /// How long bytes of a refused request are still read, so that the refusal is not lost to a reset.
  public var lingerTimeout: Duration = .seconds(2)
  /// For a verification or an endpoint to come to a result.
  public var decisionTimeout: Duration = .seconds(60)
  /// Interim responses to one request.
  public var interimResponses = 16
  /// Receptions from one socket before the others get their turn.
  public var receptionsPerTurn = 4
  /// Tokens whose facts are remembered.
  public var verifiedTokens = 20_000
  /// Strings remembered as no tokens.
  public var refusedTokens = 4_096
  /// How long a refused token is not asked for again.
  public var refusedTokenLifetime: Duration = .seconds(2)
  /// Credentials of users that are remembered, per provider.
  public var connectionCredentials = 20_000
  /// Verifications under way; more requests are answered 503.
  public var pendingVerifications = 1_024

  /// How long an exchange goes on while nobody can say whether its token still holds, after something put it in doubt.
  public var streamDoubtTimeout: Duration = .seconds(10)

  public init() {}

  /// For request heads.
  var wire: WireLimits {
    var limits = WireLimits()
    limits.startLineBytes = request.requestLineBytesMax
    limits.fieldBytes = request.fieldBytesMax
    limits.fieldCount = request.fieldCountMax
    return limits
  }

  var http2Frames: HTTP2FrameBudget.Limits {
    HTTP2FrameBudget.Limits(controlFrames: request.http2ControlFramesMax, resets: request.http2ResetsMax)
  }

  /// For response heads.
  var responseWire: WireLimits {
    var limits = WireLimits()
    limits.fieldBytes = request.responseFieldBytesMax
    limits.fieldCount = request.fieldCountMax
    return limits
  }
}

/// The waits of `EngineLimits` in nanoseconds, worked out once: deadlines are set several times per request.
struct EngineWaits {
  let header: Int64
  let idle: Int64
  let idleUpstream: Int64
  let linger: Int64
  let decision: Int64

  init(_ limits: EngineLimits) {
    header = limits.request.headerTimeout.nanoseconds
    idle = limits.request.idleTimeout.nanoseconds
    idleUpstream = limits.idleUpstreamTimeout.nanoseconds
    linger = limits.lingerTimeout.nanoseconds
    decision = limits.decisionTimeout.nanoseconds
  }
}
