import EventLoop

/// Open connections by where they come from.
struct SourceCounts {
  /// One address of IPv4, one /64 of IPv6: what one subscriber gets.
  struct Source: Hashable {
    private let prefix: [UInt8]

    init(_ peer: SocketAddress) { prefix = Array(peer.address.prefix(8)) }
  }

  private var counts: [Source: Int] = [:]

  subscript(source: Source) -> Int { counts[source] ?? 0 }

  mutating func add(_ source: Source) { counts[source, default: 0] += 1 }

  mutating func remove(_ source: Source) {
    let left = self[source] - 1
    counts[source] = left > 0 ? left : nil
  }
}
