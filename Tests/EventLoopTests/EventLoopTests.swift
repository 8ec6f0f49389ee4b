import Glibc
import Synchronization
import Testing

@testable import EventLoop

@Suite("Event loop")
struct EventLoopTests {
  // MARK: Timers

  @Test("Timers fire on the loop, in the order of their delays, not before them")
  func timers() async throws {
    let fired = try await onLoop { loop in
      let log = Log()
      let start = ContinuousClock.now
      for delay in [3, 1, 2] {
        loop.schedule(after: .milliseconds(delay)) {
          log.entries.append((delay, loop.inLoop && ContinuousClock.now - start >= .milliseconds(delay)))
        }
      }
      await loop.sleep(for: .milliseconds(4))
      return log.entries
    }
    #expect(fired.map(\.name) == [1, 2, 3])
    #expect(fired.allSatisfy { $0.isRight })
  }

  @Test("A timer can cancel another that is due in the same turn")
  func cancelInTurn() async throws {
    let fired = try await onLoop { loop in
      let log = Log()
      let second = Mutex<TimerToken?>(nil)
      loop.schedule(after: .zero) {
        log.entries.append((1, true))
        if let token = second.withLock({ $0 }) { loop.cancel(token) }
      }
      let token = loop.schedule(after: .zero) { log.entries.append((2, true)) }
      second.withLock { $0 = token }
      await loop.sleep(for: .milliseconds(2))
      return log.entries
    }
    #expect(fired.map(\.name) == [1])
  }

  @Test("A delay too long for the clock never ends, and a negative one ends at once", arguments: [
    Duration.seconds(Int64.max), .nanoseconds(Int64.max), .seconds(9_223_372_036) + .nanoseconds(999_999_999),
  ])
  func extremeDelays(delay: Duration) async throws {
    let fired = try await onLoop { loop in
      let log = Log()
      let long = loop.schedule(after: delay) { log.entries.append((1, true)) }
      loop.schedule(after: .zero - delay) { log.entries.append((2, true)) }
      await loop.sleep(for: .milliseconds(1))
      loop.cancel(long)
      return log.entries
    }
    #expect(fired.map(\.name) == [2])
  }

  @Test("A duration in nanoseconds saturates", arguments: [
    (Duration.seconds(Int64.max), Int64.max), (.seconds(Int64.min), .min), (.milliseconds(-1), -1_000_000), (.zero, 0),
    (.seconds(9_223_372_036) + .nanoseconds(999_999_999), .max), (.microseconds(1_500_001), 1_500_001_000),
  ])
  func nanoseconds(duration: Duration, nanoseconds: Int64) {
    #expect(duration.nanoseconds == nanoseconds)
  }

  // MARK: Work from other threads

  @Test("What threads hand over runs on the loop, each thread's work in its order")
  func execute() async throws {
    let received = try await onLoop { loop in
      let received = Log()
      await withTaskGroup(of: Void.self) { group in
        for thread in 0..<4 {
          group.addTask(executorPreference: globalConcurrentExecutor) {
            for number in 0..<500 {
              loop.execute {
                received.entries.append((thread * 1000 + number, loop.inLoop && EventLoop.current === loop))
              }
            }
          }
        }
      }
      // Handed over after all the others, so it runs after them.
      await withUnsafeContinuation { continuation in loop.execute { continuation.resume() } }
      return received.entries
    }
    #expect(received.allSatisfy { $0.isRight })
    for thread in 0..<4 {
      #expect(received.map(\.name).filter { $0 / 1000 == thread } == (0..<500).map { thread * 1000 + $0 })
    }
  }

  @Test("A task stays on its loop: after a sleep, another thread's work, and an actor")
  func taskStaysOnLoop() async throws {
    actor Elsewhere { func answer() -> Bool { true } }
    let places = try await onLoop { loop in
      var places = [loop.inLoop]
      await loop.sleep(for: .microseconds(100))
      places.append(loop.inLoop)
      _ = await Task.detached { loop.inLoop }.value
      places.append(loop.inLoop)
      _ = await Elsewhere().answer()
      places.append(loop.inLoop)
      _ = try await WorkerPool().run { loop.inLoop }
      places.append(loop.inLoop)
      async let child = loop.inLoop
      places.append(await child)
      return places
    }
    #expect(places == [true, true, true, true, true, true])
  }

  @Test("A task that another loop's task awaits runs on its own loop, and each comes back to its own")
  func twoLoops() async throws {
    let group = try EventLoopGroup(count: 2)
    group.start()
    let (first, second) = (group.loops[0], group.loops[1])
    let places = await first.task {
      let there = await second.task { second.inLoop && !first.inLoop }.value
      return [there, first.inLoop]
    }.value
    group.stop()
    #expect(places == [true, true])
  }

  // MARK: Descriptors

  @Test("A descriptor that has something to read is reported with its token, until it is read")
  func readable() async throws {
    try await onLoop { loop in
      let pair = try SocketPair()
      let recorder = Recorder()
      let registration = try loop.register(pair.near, for: .readable, handler: recorder, token: 42)
      await loop.nextTurn()
      #expect(recorder.events.isEmpty)
      pair.sendFromFar("hello")
      await loop.nextTurn()
      #expect(recorder.events.count >= 1)
      #expect(recorder.events.allSatisfy { $0.readiness == .readable && $0.token == 42 })
      #expect(pair.readNear() == "hello")
      let count = recorder.events.count
      await loop.nextTurn()
      #expect(recorder.events.count == count)
      loop.deregister(registration)
    }
  }

  @Test("Edge-triggered, one arrival is reported once")
  func edgeTriggered() async throws {
    try await onLoop { loop in
      let pair = try SocketPair()
      let recorder = Recorder()
      let registration = try loop.register(pair.near, for: [.readable, .edgeTriggered], handler: recorder)
      pair.sendFromFar("a")
      for _ in 0..<3 { await loop.nextTurn() }
      #expect(recorder.events.count == 1)
      pair.sendFromFar("b")
      for _ in 0..<3 { await loop.nextTurn() }
      #expect(recorder.events.count == 2)
      loop.deregister(registration)
    }
  }

  @Test("Interest can change, and a hang-up is reported unasked")
  func interest() async throws {
    try await onLoop { loop in
      let pair = try SocketPair()
      let recorder = Recorder()
      let registration = try loop.register(pair.near, for: [], handler: recorder)
      pair.sendFromFar("a")
      await loop.nextTurn()
      #expect(recorder.events.isEmpty)
      loop.update(registration, interest: .writable)
      await loop.nextTurn()
      #expect(recorder.events.last?.readiness == .writable)
      loop.update(registration, interest: [.readable, .peerClosed, .edgeTriggered])
      shutdown(pair.far, Int32(SHUT_RDWR))
      await loop.nextTurn()
      #expect(recorder.events.last?.readiness.isSuperset(of: [.readable, .peerClosed, .hangUp]) == true)
      loop.deregister(registration)
    }
  }

  @Test("After deregister nothing is reported, and the descriptor can be registered again")
  func deregister() async throws {
    try await onLoop { loop in
      let pair = try SocketPair()
      let recorder = Recorder()
      let first = try loop.register(pair.near, for: .readable, handler: recorder)
      #expect(throws: SystemCallError.self) { try loop.register(pair.near, for: .readable, handler: recorder) }
      loop.deregister(first)
      pair.sendFromFar("a")
      await loop.nextTurn()
      #expect(recorder.events.isEmpty)
      let second = try loop.register(pair.near, for: .readable, handler: recorder)
      await loop.nextTurn()
      #expect(!recorder.events.isEmpty)
      loop.deregister(second)
    }
  }

  @Test("A stale registration changes nothing about the one that took its place")
  func stale() async throws {
    try await onLoop { loop in
      let (old, new) = (try SocketPair(), try SocketPair())
      let recorder = Recorder()
      let stale = try loop.register(old.near, for: .readable, handler: Recorder())
      loop.deregister(stale)
      let fresh = try loop.register(new.near, for: .readable, handler: recorder)
      #expect(fresh.slot == stale.slot)
      loop.update(stale, interest: [])
      loop.deregister(stale)
      new.sendFromFar("a")
      await loop.nextTurn()
      #expect(!recorder.events.isEmpty)
      loop.deregister(fresh)
    }
  }

  @Test("An event that is already in hand is not given to whoever took its registration's place")
  func staleEvent() async throws {
    try await onLoop { loop in
      let (first, second, third) = (try SocketPair(), try SocketPair(), try SocketPair())
      let registrations = Mutex<[Registration]>([])
      let newcomer = Recorder()
      // Both are ready in one turn; whoever is called first replaces the other by the newcomer, which has nothing to read.
      let replace = { (other: Int) in
        registrations.withLock { registrations in
          guard registrations.count == 2 else { return }
          loop.deregister(registrations[other])
          if let taken = try? loop.register(third.near, for: .readable, handler: newcomer) { registrations.append(taken) }
        }
      }
      let handlers = [Recorder { _ in replace(1) }, Recorder { _ in replace(0) }]
      let both = [
        try loop.register(first.near, for: .readable, handler: handlers[0]),
        try loop.register(second.near, for: .readable, handler: handlers[1]),
      ]
      registrations.withLock { $0 = both }
      first.sendFromFar("a")
      second.sendFromFar("b")
      await loop.nextTurn()
      let all = registrations.withLock { $0 }
      #expect(all.count == 3)
      #expect(both.map(\.slot).contains(all[2].slot))
      #expect(newcomer.events.isEmpty)
      #expect(handlers.count { $0.events.isEmpty } == 1)
      for registration in all { loop.deregister(registration) }
    }
  }

  // MARK: Turns

  @Test("End-of-turn actions run after the jobs of the turn, those they add too, before the loop waits")
  func endOfTurn() async throws {
    let names = try await onLoop { loop in
      let log = Log()
      loop.atEndOfTurn {
        log.entries.append((2, loop.inLoop))
        loop.atEndOfTurn { log.entries.append((3, loop.inLoop)) }
      }
      log.entries.append((1, true))
      await loop.nextTurn()
      return log.entries.map(\.name)
    }
    #expect(names == [1, 2, 3])
  }

  @Test("Stopping finishes the turn: work handed over before, its jobs and its end-of-turn actions")
  func stop() throws {
    let group = try EventLoopGroup(count: 1)
    let loop = group.loops[0]
    let done = Mutex<[String]>([])
    loop.execute {
      done.withLock { $0.append("handed over") }
      loop.atEndOfTurn { done.withLock { $0.append("end of turn") } }
    }
    loop.task { done.withLock { $0.append("job") } }
    loop.stop()
    group.start()
    group.stop()
    #expect(done.withLock { $0 } == ["handed over", "job", "end of turn"])
  }

  @Test("loops with descriptors of their own wake each other, and what one opens only it and the threads it starts know")
  func separateDescriptors() async throws {
    let group = try EventLoopGroup(count: 2, separatesDescriptors: true)
    group.start()
    defer { group.stop() }
    let loops = group.loops
    // A file without a name, known by its number.
    let (opened, file) = await loops[0].task { () -> (Int32, ino_t) in
      var name = Array("/tmp/postern-XXXXXX".utf8CString)
      let opened = mkstemp(&name)
      unlink(name)
      return (opened, inode(opened))
    }.value
    try #require(opened >= 0 && file != 0)
    @Sendable func isOpen() -> Bool { inode(opened) == file }
    let fromOther = await loops[0].task { await loops[1].task { isOpen() }.value }.value
    let fromOwn = await loops[1].task { await loops[0].task { isOpen() }.value }.value
    let fromChild = await loops[0].task {
      await withUnsafeContinuation { continuation in
        _ = pthread_detach(startThread { continuation.resume(returning: isOpen()) })
      }
    }.value
    await loops[0].task { _ = close(opened) }.value
    #expect(!fromOther && !isOpen() && fromOwn && fromChild)
  }
}

/// 0: not open.
private func inode(_ descriptor: Int32) -> ino_t {
  var status = stat()
  return fstat(descriptor, &status) == 0 ? status.st_ino : 0
}

/// What happened on a loop, in order.
private final class Log: @unchecked Sendable {
  // SAFETY: confined to the loop of one test.
  var entries: [(name: Int, isRight: Bool)] = []
}
