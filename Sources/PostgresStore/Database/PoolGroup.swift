import EventLoop
import PostgresClient

/// The pools of one process, one per event loop, so that a statement never leaves the loop it was asked on.
public struct PoolGroup: Sendable {
  private let pools: [PostgresPool]

  /// - Parameter pools: the pool of loop 0, of loop 1, and so on.
  public init(_ pools: [PostgresPool]) {
    precondition(!pools.isEmpty, "a group has a pool for each loop")
    self.pools = pools
  }

  /// The pool of the loop that is running. Stores are called from tasks of a loop (`EventLoop.task`).
  var current: PostgresPool { pools[currentIndex] }

  var currentIndex: Int {
    guard let loop = EventLoop.current else { preconditionFailure("the store was called outside of an event loop") }
    precondition(
      pools.indices.contains(loop.index) && pools[loop.index].loop === loop, "loop \(loop.index) has no pool here")
    return loop.index
  }

  func map<Value>(_ transform: (PostgresPool) -> Value) -> [Value] { pools.map(transform) }
}
