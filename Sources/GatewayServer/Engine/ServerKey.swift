import EventLoop
import ReverseProxy

/// What makes one server of an upstream the same in two snapshots and on all loops.
public struct ServerKey: Sendable, Hashable, Comparable {
  public let upstream: String
  public let origin: Origin
  /// One of those that the origin's name stands for.
  public let address: SocketAddress

  public init(upstream: String, origin: Origin, address: SocketAddress) {
    self.upstream = upstream
    self.origin = origin
    self.address = address
  }

  public static func < (left: ServerKey, right: ServerKey) -> Bool {
    (left.upstream, left.origin.description, left.address.description)
      < (right.upstream, right.origin.description, right.address.description)
  }
}
