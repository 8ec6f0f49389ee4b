import Glibc
import Synchronization
import Testing

@testable import EventLoop

@Suite("Worker pool")
struct WorkerPoolTests {
  /// Holds threads back until it is opened.
  private final class Gate: Sendable {
    private let ends: (read: Int32, write: Int32)

    init() throws {
      var descriptors: [Int32] = [-1, -1]
      guard pipe(&descriptors) == 0 else { throw SystemCallError("pipe") }
      ends = (descriptors[0], descriptors[1])
    }

    deinit {
      close(ends.read)
      close(ends.write)
    }

    /// Lets `count` threads pass.
    func open(_ count: Int) { _ = write(ends.write, [UInt8](repeating: 0, count: count), count) }

    func pass() {
      var byte: UInt8 = 0
      _ = read(ends.read, &byte, 1)
    }
  }

  /// How many are inside, and how many were at most.
  private final class Gauge: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    var most: Int { counts.withLock { $0.most } }
    func enter() { counts.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }
    func leave() { counts.withLock { $0.now -= 1 } }
  }

  @Test("Work runs off the loop and its result comes back to it")
  func result() async throws {
    let places = try await onLoop { loop in
      let isOnLoop = try await WorkerPool().run { loop.inLoop || EventLoop.current != nil }
      return [isOnLoop, loop.inLoop]
    }
    #expect(places == [false, true])
  }

  @Test("All work is done, by no more threads than allowed")
  func threads() async throws {
    let pool = WorkerPool(threads: 2, waiting: 1000)
    let running = Gauge()
    let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<500 {
        group.addTask {
          try await pool.run {
            running.enter()
            sched_yield()
            running.leave()
            return number
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(numbers.sorted() == Array(0..<500))
    #expect((1...2).contains(running.most))
  }

  @Test("Threads are there as soon as there is work for them")
  func parallel() async throws {
    let pool = WorkerPool(threads: 2, waiting: 2)
    let (first, second) = (try Gate(), try Gate())
    // Each needs the other to run at the same time.
    async let one: Void = pool.run {
      first.open(1)
      second.pass()
    }
    async let two: Void = pool.run {
      second.open(1)
      first.pass()
    }
    _ = try await (one, two)
  }

  @Test("A full queue refuses, and what it accepted is still done")
  func overload() async throws {
    let pool = WorkerPool(threads: 1, waiting: 1)
    let gate = try Gate()
    let (started, continuation) = AsyncStream.makeStream(of: Void.self)
    async let holder: Void = pool.run {
      continuation.yield()
      gate.pass()
    }
    for await _ in started { break }
    // The only thread is held, so one of five waits and four are refused.
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<5 {
        group.addTask {
          do throws(WorkerPool.Overloaded) {
            return try await pool.run { true }
          } catch {
            return false
          }
        }
      }
      var outcomes: [Bool] = []
      for await outcome in group {
        outcomes.append(outcome)
        if outcomes.count == 4 { gate.open(1) }
      }
      return outcomes
    }
    #expect(outcomes == [false, false, false, false, true])
    try await holder
    #expect(try await pool.run { 7 } == 7)
  }
}
