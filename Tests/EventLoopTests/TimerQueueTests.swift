import Testing

@testable import EventLoop

@Suite("Timer queue")
struct TimerQueueTests {
  /// Runs what is due and gives the names in the order they ran.
  private static func fired(_ queue: inout TimerQueue, at now: Int64, _ log: Log) -> [Int] {
    log.names = []
    while let body = queue.popDue(at: now) { body() }
    return log.names
  }

  private final class Log { var names: [Int] = [] }

  @Test("Timers fire in the order of their deadlines, whatever the order they were made in")
  func order() {
    let log = Log()
    var queue = TimerQueue()
    // 7919 is prime, so the products visit every deadline below 1000 once, in disorder.
    for number in 0..<1000 {
      let deadline = number * 7919 % 1000
      _ = queue.insert(deadline: Int64(deadline)) { log.names.append(deadline) }
    }
    #expect(Self.fired(&queue, at: 499, log) == Array(0...499))
    #expect(queue.nextDeadline == 500)
    #expect(Self.fired(&queue, at: 999, log) == Array(500...999))
    #expect(queue.nextDeadline == nil)
  }

  @Test("Timers of one deadline fire in the order they were made")
  func ties() {
    let log = Log()
    var queue = TimerQueue()
    for number in 0..<100 { _ = queue.insert(deadline: 5) { log.names.append(number) } }
    #expect(Self.fired(&queue, at: 4, log) == [])
    #expect(Self.fired(&queue, at: 5, log) == Array(0..<100))
  }

  @Test("A cancelled timer never fires; cancelling twice, or after it fired, does nothing")
  func cancel() {
    let log = Log()
    var queue = TimerQueue()
    let tokens = (0..<200).map { number in queue.insert(deadline: Int64(number)) { log.names.append(number) } }
    for number in stride(from: 0, to: 200, by: 2) {
      queue.cancel(tokens[number])
      queue.cancel(tokens[number])
    }
    #expect(Self.fired(&queue, at: 99, log) == Array(stride(from: 1, to: 100, by: 2)))
    queue.cancel(tokens[1])
    #expect(Self.fired(&queue, at: 999, log) == Array(stride(from: 101, to: 200, by: 2)))
  }

  @Test("Cancelled long timers do not pile up, and the others keep their order")
  func cancelledEntriesAreFreed() {
    let log = Log()
    var queue = TimerQueue()
    for number in [30, 10, 20] { _ = queue.insert(deadline: Int64(number)) { log.names.append(number) } }
    for _ in 0..<10_000 { queue.cancel(queue.insert(deadline: 1_000_000) {}) }
    #expect(queue.entryCount <= 65)
    #expect(Self.fired(&queue, at: 100, log) == [10, 20, 30])
  }
}
