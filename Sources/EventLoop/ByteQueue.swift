import Glibc

/// Bytes that wait, in one contiguous stretch: appended at the end, consumed at the front. Holds no memory while empty.
public struct ByteQueue: ~Copyable {
  // SAFETY: `base` has `capacity` bytes whenever it is not nil, and 0 <= start <= end <= capacity holds after every call.
  private var base: UnsafeMutableRawPointer?
  private var start = 0
  private var end = 0
  private var capacity = 0
  private let pool: BufferPool

  public init(pool: BufferPool) { self.pool = pool }

  deinit { if let base { ByteQueue.release(base, capacity, pool) } }

  public var count: Int { end &- start }
  public var isEmpty: Bool { end == start }

  /// The bytes that wait; valid until the next call that changes the queue.
  public var readable: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + start) }, count: count)
  }

  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    // SAFETY: `reserve` made room for as many bytes behind `end`.
    memcpy(base.unsafelyUnwrapped + end, source, bytes.count)
    end &+= bytes.count
  }

  public mutating func append(_ bytes: Span<UInt8>) { bytes.withUnsafeBytes { append($0) } }

  public mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  // Disfavored, since a literal would become a `String` otherwise, which costs a reference count and a copy.
  @_disfavoredOverload
  public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  public mutating func append(_ byte: UInt8) {
    reserve(1)
    base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
    end &+= 1
  }

  /// Makes room for `more` bytes without another allocation.
  public mutating func reserve(_ more: Int) {
    if capacity &- end < more { grow(more) }
  }

  /// Forgets bytes at the front.
  public mutating func consume(_ count: Int) {
    precondition(count <= self.count, "more consumed than there is")
    start &+= count
    if start == end { clear() }
  }

  /// Forgets everything and gives the memory back.
  public mutating func clear() {
    if let base { ByteQueue.release(base, capacity, pool) }
    base = nil
    start = 0
    end = 0
    capacity = 0
  }

  /// Forgets everything and keeps the memory, for a queue that is filled again at once.
  public mutating func clearKeepingMemory() {
    start = 0
    end = 0
  }

  private mutating func grow(_ more: Int) {
    let count = count
    guard let base else {
      (self.base, capacity) = ByteQueue.allocate(more, pool)
      return
    }
    if count &+ more <= capacity, start >= capacity / 2 {
      memmove(base, base + start, count)
    } else {
      let (larger, largerCapacity) = ByteQueue.allocate(max(count &+ more, capacity &* 2), pool)
      memcpy(larger, base + start, count)
      ByteQueue.release(base, capacity, pool)
      self.base = larger
      capacity = largerCapacity
    }
    start = 0
    end = count
  }

  private static func allocate(_ count: Int, _ pool: BufferPool) -> (UnsafeMutableRawPointer, Int) {
    if count <= BufferPool.blockBytes { return (pool.take(), BufferPool.blockBytes) }
    guard let base = malloc(count) else { fatalError("out of memory") }
    return (base, count)
  }

  private static func release(_ base: UnsafeMutableRawPointer, _ capacity: Int, _ pool: BufferPool) {
    if capacity == BufferPool.blockBytes { pool.give(base) } else { free(base) }
  }
}
