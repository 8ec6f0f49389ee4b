import Glibc

/// Memory blocks of one loop, used again and again. Idle connections hold none.
public final class BufferPool {
  /// Bytes of a block: most heads fit.
  public static let blockBytes = 4 << 10
  /// Blocks kept for the next use; more go back to the system.
  private static let idleBlocksMax = 1024

  // Touched by `take` and `give` only, which call nothing that leads back here: the run-time check showed in the profile.
  @exclusivity(unchecked) private var idle: [UnsafeMutableRawPointer] = []

  public init() {}

  // SAFETY: each block came from `malloc` in `take` and is here once: its queue forgets it as it gives it back.
  deinit { for block in idle { free(block) } }

  func take() -> UnsafeMutableRawPointer {
    if let block = idle.popLast() { return block }
    guard let block = malloc(BufferPool.blockBytes) else { fatalError("out of memory") }
    return block
  }

  func give(_ block: UnsafeMutableRawPointer) {
    if idle.count < BufferPool.idleBlocksMax { idle.append(block) } else { free(block) }
  }
}
