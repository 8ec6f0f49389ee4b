import EventLoop

/// Requests that wait until one of an upstream's servers has room, first come first served.
struct WaitingLine {
  private struct Entry {
    let number: UInt64
    let timer: TimerToken
    let resume: (_ mayGo: Bool) -> Void
  }

  private var entries: [Entry] = []
  private var number: UInt64 = 0

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }

  /// Joins the line. What `timer` schedules is to remove the entry by its number.
  mutating func append(timer: (_ number: UInt64) -> TimerToken, _ resume: @escaping (_ mayGo: Bool) -> Void) {
    number += 1
    entries.append(Entry(number: number, timer: timer(number), resume: resume))
  }

  /// Takes out who came first.
  mutating func removeFirst(_ loop: EventLoop) -> ((_ mayGo: Bool) -> Void)? {
    guard !entries.isEmpty else { return nil }
    let entry = entries.removeFirst()
    loop.cancel(entry.timer)
    return entry.resume
  }

  /// Takes out who has waited too long; nil when it is gone already.
  mutating func remove(_ number: UInt64) -> ((_ mayGo: Bool) -> Void)? {
    guard let index = entries.firstIndex(where: { $0.number == number }) else { return nil }
    return entries.remove(at: index).resume
  }
}
