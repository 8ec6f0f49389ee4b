/// Names one scheduled timer.
public struct TimerToken: Sendable, Hashable {
  let number: UInt64
}

/// Binary heap of deadlines. Cancelled entries stay in the heap, without their body, until their deadline passes.
struct TimerQueue {
  private struct Entry: Comparable {
    let deadline: Int64
    let number: UInt64

    /// Equal deadlines fire in the order they were made.
    static func < (left: Entry, right: Entry) -> Bool {
      (left.deadline, left.number) < (right.deadline, right.number)
    }
  }

  private var heap: [Entry] = []
  private var bodies: [UInt64: () -> Void] = [:]
  private var nextNumber: UInt64 = 0

  var nextDeadline: Int64? { heap.first?.deadline }

  /// Entries kept, cancelled ones included.
  var entryCount: Int { heap.count }

  mutating func insert(deadline: Int64, _ body: @escaping () -> Void) -> TimerToken {
    nextNumber += 1
    bodies[nextNumber] = body
    heap.append(Entry(deadline: deadline, number: nextNumber))
    siftUp(heap.count - 1)
    return TimerToken(number: nextNumber)
  }

  mutating func cancel(_ token: TimerToken) {
    bodies[token.number] = nil
    // Many cancelled long timers must not pile up: rebuild when they are the majority.
    if heap.count > 64, heap.count > 4 * bodies.count {
      let live = bodies
      heap.removeAll { live[$0.number] == nil }
      heap.sort()
    }
  }

  /// Takes what is due, in order of deadline.
  mutating func popDue(at now: Int64) -> (() -> Void)? {
    while let first = heap.first, first.deadline <= now {
      let last = heap.removeLast()
      if !heap.isEmpty {
        heap[0] = last
        siftDown(0)
      }
      if let body = bodies.removeValue(forKey: first.number) { return body }
    }
    return nil
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child] < heap[parent] else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child] < heap[smallest] { smallest = child }
      }
      guard smallest != parent else { return }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
