import CLinux
import Configuration
import EventLoop
import GatewayServer
import OAuthCore
import PostgresStore
import Synchronization

extension DataPlane {
  /// Listens on an address of the configuration.
  ///
  /// - Throws: `CommandFailure` when the address is taken or not this machine's.
  func listen(
    on address: ListenAddress, serving service: Engine.Service = .gateway, tls: TLSAcceptor? = nil
  ) async throws(CommandFailure) {
    guard let socket = SocketAddress(literal: address.host, port: address.port) else {
      preconditionFailure("a configuration has literal addresses only")
    }
    do {
      try Socket.requireFree(socket)
      try await listen(on: socket, serving: service, tls: tls)
    } catch {
      throw CommandFailure("cannot listen on \(address): \(error); is another process there?")
    }
  }
}

/// Whether revocations reach this process in time: rather 503 than a stale yes.
struct FeedFreshness: Freshness {
  /// Longest that a revocation may go unheard.
  static let stalenessMax: Duration = .seconds(2)

  let feed: ChangeListener

  var isFresh: Bool { feed.isCurrent(within: Self.stalenessMax, at: postern_monotonic_nanoseconds()) }
}

/// The same for whoever is made before the feed: until then, nothing is heard.
final class LaterFreshness: Freshness {
  private let feed = Mutex<ChangeListener?>(nil)

  func follow(_ listener: ChangeListener) { feed.withLock { $0 = listener } }

  var isFresh: Bool { feed.withLock { $0 }.map { FeedFreshness(feed: $0).isFresh } ?? false }
}
