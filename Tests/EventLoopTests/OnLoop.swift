import Glibc

@testable import EventLoop

/// Runs `body` on a loop of its own, as a task of that loop, and takes the loop down.
func onLoop<Result: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> Result) async throws -> Result {
  let group = try EventLoopGroup(count: 1)
  group.start()
  let outcome = await group.loops[0].task { () -> Swift.Result<Result, any Error> in
    do { return .success(try await body(group.loops[0])) } catch { return .failure(error) }
  }.value
  group.stop()
  return try outcome.get()
}

extension EventLoop {
  /// Waits until the turn after this one, in which every descriptor that is ready now has been reported.
  func nextTurn() async {
    await withUnsafeContinuation { continuation in
      schedule(after: .zero) { continuation.resume() }
    }
  }
}

/// Two connected descriptors, closed with their owner.
final class SocketPair: Sendable {
  let near: Int32
  let far: Int32

  init() throws {
    var descriptors: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &descriptors) == 0 else {
      throw SystemCallError("socketpair")
    }
    (near, far) = (descriptors[0], descriptors[1])
  }

  deinit {
    close(near)
    close(far)
  }

  func sendFromFar(_ text: String) { _ = text.withCString { write(far, $0, strlen($0)) } }

  func readNear() -> String {
    var bytes = [UInt8](repeating: 0, count: 100)
    let count = read(near, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}

/// Notes what it is told, and does one thing then.
final class Recorder: ReadinessHandler {
  private(set) var events: [(readiness: Readiness, token: UInt32)] = []
  private let action: (Readiness) -> Void

  init(_ action: @escaping (Readiness) -> Void = { _ in }) { self.action = action }

  override func ready(_ readiness: Readiness, token: UInt32) {
    events.append((readiness, token))
    action(readiness)
  }
}
