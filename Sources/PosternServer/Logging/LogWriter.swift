import EventLoop
import Glibc
import Synchronization

/// Writes log lines on a thread of its own, so that a reader that does not keep up never stops a loop.
///
/// What does not fit the queue is dropped, and the number of dropped lines is told once there is room again.
final class LogWriter: Sendable {
  static let standardError = LogWriter(descriptor: STDERR_FILENO)

  /// Bytes that may wait.
  private static let queueByteCountMax = 4 << 20

  private struct Queue {
    var bytes: [UInt8] = []
    var droppedLineCount = 0
    var isWriting = false
    var isStarted = false
  }

  private let descriptor: Int32
  private let queue = Mutex(Queue())
  private let wakeUp: CountingSemaphore

  init(descriptor: Int32) {
    self.descriptor = descriptor
    wakeUp = CountingSemaphore()
  }

  /// - Parameter line: ends with a line feed.
  func append(_ line: [UInt8]) {
    let (mustStart, mustSignal) = queue.withLock { queue in
      guard queue.bytes.count + line.count <= Self.queueByteCountMax else {
        queue.droppedLineCount += 1
        return (false, false)
      }
      if queue.droppedLineCount > 0 {
        queue.bytes += Array("{\"level\":\"warning\",\"message\":\"\(queue.droppedLineCount) log lines dropped\"}\n".utf8)
        queue.droppedLineCount = 0
      }
      let wasIdle = queue.bytes.isEmpty
      queue.bytes += line
      defer { queue.isStarted = true }
      return (!queue.isStarted, wasIdle)
    }
    if mustStart { start() }
    if mustSignal { wakeUp.signal() }
  }

  /// Waits until everything appended so far is written, a second at most: for the end of the process.
  func flush() {
    for _ in 0..<1000 {
      if queue.withLock({ $0.bytes.isEmpty && !$0.isWriting }) { return }
      usleep(1000)
    }
  }

  private func start() { pthread_detach(startThread { [self] in serve() }) }

  private func serve() {
    while true {
      wakeUp.wait()
      let batch = queue.withLock { queue in
        queue.isWriting = true
        defer { queue.bytes = [] }
        return queue.bytes
      }
      writeAll(batch)
      queue.withLock { $0.isWriting = false }
    }
  }

  private func writeAll(_ batch: [UInt8]) {
    var written = 0
    while written < batch.count {
      let count = batch.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, batch.count - written) }
      if count < 0, errno != EINTR { return }
      written += max(0, count)
    }
  }
}
