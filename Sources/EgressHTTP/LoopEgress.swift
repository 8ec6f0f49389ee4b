import Broker
import EventLoop

/// The egress of one loop: judges addresses, then hands the exchange to libcurl.
final class LoopEgress: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with loop.assertInLoop().

  private let loop: EventLoop
  private let addressGuard: AddressGuard
  private let trustAnchors: String?
  private let limits: EgressLimits
  /// Requests that may and that may not reach local addresses share no connection: else the strict would ride on one that
  /// only the lenient could open.
  private var strict: CurlMulti?
  private var lenient: CurlMulti?
  private var exchangeCount = 0
  private var isShutDown = false

  init(loop: EventLoop, addressGuard: AddressGuard, trustAnchors: String?, limits: EgressLimits) {
    self.loop = loop
    self.addressGuard = addressGuard
    self.trustAnchors = trustAnchors
    self.limits = limits
  }

  func exchange(_ request: ProviderRequest) async -> Result<ProviderResponse, TransportFailure> {
    loop.assertInLoop()
    guard !isShutDown, exchangeCount < limits.exchangeCountMax else { return .failure(.overloaded) }
    guard request.url.scheme == .https || request.allowHTTP else { return .failure(.refusedAddress) }
    exchangeCount += 1
    defer { exchangeCount -= 1 }
    let deadline = Deadline(after: request.deadline)
    let addresses: [SocketAddress]
    do {
      addresses = try await self.addresses(for: request, within: deadline.remaining)
    } catch {
      return .failure(error)
    }
    guard !isShutDown else { return .failure(.overloaded) }
    guard deadline.remaining > .zero else { return .failure(.timeout) }
    return await withCheckedContinuation { continuation in
      multi(allowLocal: request.allowPrivateAddresses).start(request, pinnedTo: addresses, deadline: deadline.remaining) {
        continuation.resume(returning: $0)
      }
    }
  }

  func shutdown() async {
    loop.assertInLoop()
    isShutDown = true
    strict?.close()
    lenient?.close()
    strict = nil
    lenient = nil
  }

  private func multi(allowLocal: Bool) -> CurlMulti {
    if let multi = allowLocal ? lenient : strict { return multi }
    let multi = CurlMulti(loop: loop, trustAnchors: trustAnchors, limits: limits)
    if allowLocal { lenient = multi } else { strict = multi }
    return multi
  }

  /// Waits for the resolver no longer than the request may take; a late answer of its thread is dropped.
  private func addresses(
    for request: ProviderRequest, within duration: Duration
  ) async throws(TransportFailure) -> [SocketAddress] {
    let result = await withCheckedContinuation { continuation in
      let race = Race(continuation)
      let timer = loop.schedule(after: duration) { race.finish(.failure(.timeout)) }
      loop.task { [self] in
        let result: Result<[SocketAddress], TransportFailure>
        do throws(TransportFailure) {
          result = .success(
            try await addressGuard.addresses(of: request.url, allowLocal: request.allowPrivateAddresses))
        } catch {
          result = .failure(error)
        }
        loop.cancel(timer)
        race.finish(result)
      }
    }
    return try result.get()
  }
}

/// Resumes once, with whatever comes first.
private final class Race: @unchecked Sendable {
  // SAFETY: made and finished on one loop's thread only.
  typealias Answer = Result<[SocketAddress], TransportFailure>

  private var continuation: CheckedContinuation<Answer, Never>?

  init(_ continuation: CheckedContinuation<Answer, Never>) { self.continuation = continuation }

  func finish(_ answer: Answer) {
    continuation?.resume(returning: answer)
    continuation = nil
  }
}

/// A moment on the monotonic clock.
private struct Deadline {
  private let instant: ContinuousClock.Instant

  init(after duration: Duration) { instant = .now + duration }

  var remaining: Duration { instant - .now }
}
