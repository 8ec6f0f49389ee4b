import Broker
import CLibCurl
import EventLoop
import Glibc

/// One libcurl multi handle whose sockets and timer live on the loop: the door to libcurl.
final class CurlMulti: ReadinessHandler {
  private let loop: EventLoop
  private let trustAnchors: String?
  private let limits: EgressLimits
  private let handle: UnsafeMutableRawPointer
  private var registrations: [Int32: Registration] = [:]
  private var timer: TimerToken?
  private var exchanges: [UnsafeMutableRawPointer: CurlExchange] = [:]

  /// Not thread-safe before 7.84, so it runs once, before the first handle.
  private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(loop: EventLoop, trustAnchors: String?, limits: EgressLimits) {
    loop.assertInLoop()
    guard Self.isReady, let handle = curl_multi_init() else { preconditionFailure("libcurl does not start") }
    self.loop = loop
    self.trustAnchors = trustAnchors
    self.limits = limits
    self.handle = handle
    super.init()
    // SAFETY: libcurl calls back from calls of this class only, all on the loop, and `close` ends the handle before the
    // owner lets go of this object.
    let context = Unmanaged.passUnretained(self).toOpaque()
    postern_curl_multi_set_socket_callback(handle, socketCallback, context)
    postern_curl_multi_set_timer_callback(handle, timerCallback, context)
    postern_curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, limits.idleConnectionCountMax)
    postern_curl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, limits.connectionsPerHostMax)
  }

  /// - Parameter completion: called once, on the loop.
  func start(
    _ request: ProviderRequest, pinnedTo addresses: [SocketAddress], deadline: Duration,
    completion: @escaping (Result<ProviderResponse, TransportFailure>) -> Void
  ) {
    loop.assertInLoop()
    let exchange = CurlExchange(
      request, pinnedTo: addresses, deadline: deadline, trustAnchors: trustAnchors, limits: limits, completion: completion)
    // SAFETY: as above; connections outlive their exchange in the handle's cache, but not the handle.
    postern_curl_set_close_callback(exchange.easy, closeCallback, Unmanaged.passUnretained(self).toOpaque())
    exchanges[exchange.easy] = exchange
    // Sets the timer to now; the work starts from there, never inside this call.
    guard curl_multi_add_handle(handle, exchange.easy) == CURLM_OK else {
      exchanges[exchange.easy] = nil
      return exchange.finish(.failure(.overloaded))
    }
  }

  /// Ends what runs and frees the handle; nothing may be started after.
  func close() {
    loop.assertInLoop()
    let ended = exchanges.values
    exchanges = [:]
    for exchange in ended {
      curl_multi_remove_handle(handle, exchange.easy)
      exchange.finish(.failure(.overloaded))
    }
    curl_multi_cleanup(handle)
    if let timer { loop.cancel(timer) }
    timer = nil
  }

  // MARK: Driving

  override func ready(_ readiness: Readiness, token: UInt32) {
    var events: Int32 = 0
    if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp]) { events |= CURL_CSELECT_IN }
    if readiness.contains(.writable) { events |= CURL_CSELECT_OUT }
    if readiness.contains(.error) { events |= CURL_CSELECT_ERR }
    act(on: Int32(token), events)
  }

  private func act(on descriptor: Int32, _ events: Int32) {
    var running: Int32 = 0
    curl_multi_socket_action(handle, descriptor, events, &running)
    var result = CURLE_OK
    while let easy = postern_curl_multi_next_done(handle, &result) {
      curl_multi_remove_handle(handle, easy)
      guard let exchange = exchanges.removeValue(forKey: easy) else { continue }
      exchange.finish(exchange.outcome(result))
    }
  }

  // MARK: What libcurl asks for

  fileprivate func watch(_ descriptor: Int32, _ what: Int32) {
    switch what {
    case CURL_POLL_IN: watch(descriptor, for: .readable)
    case CURL_POLL_OUT: watch(descriptor, for: .writable)
    case CURL_POLL_INOUT: watch(descriptor, for: [.readable, .writable])
    default: forget(descriptor)
    }
  }

  private func watch(_ descriptor: Int32, for interest: Readiness) {
    if let registration = registrations[descriptor] { return loop.update(registration, interest: interest) }
    // Without a registration the exchange ends by its deadline.
    registrations[descriptor] = try? loop.register(descriptor, for: interest, handler: self, token: UInt32(descriptor))
  }

  /// Before the descriptor is closed: its number may be another connection's at once.
  fileprivate func forget(_ descriptor: Int32) {
    if let registration = registrations.removeValue(forKey: descriptor) { loop.deregister(registration) }
  }

  fileprivate func setTimer(_ milliseconds: Int) {
    if let timer { loop.cancel(timer) }
    timer = nil
    guard milliseconds >= 0 else { return }
    timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
      guard let self, timer != nil else { return }
      timer = nil
      act(on: CURL_SOCKET_BAD, 0)
    }
  }
}

// SAFETY (each callback): `context` is the CurlMulti that set it, alive for as long as its handle.

private func multi(_ context: UnsafeMutableRawPointer?) -> CurlMulti {
  Unmanaged<CurlMulti>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
}

private let socketCallback: curl_socket_callback = { _, descriptor, what, context, _ in
  multi(context).watch(descriptor, what)
  return 0
}

private let timerCallback: curl_multi_timer_callback = { _, milliseconds, context in
  multi(context).setTimer(milliseconds)
  return 0
}

private let closeCallback: curl_closesocket_callback = { context, descriptor in
  multi(context).forget(descriptor)
  return Glibc.close(descriptor)
}
