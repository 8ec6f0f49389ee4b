import EventLoop
import Glibc

/// A listening socket of one loop.
final class Listener: ReadinessHandler {
  /// Connections taken at once, so that those already open get their turn.
  private static let acceptsPerTurn = 64
  /// Before the next try, when no connection can be taken: descriptors or memory are short, or the limit is reached.
  private static let pause = Duration.milliseconds(100)

  let address: SocketAddress
  private let service: Engine.Service
  private let tls: TLSAcceptor?
  private unowned let engine: Engine
  private let descriptor: Int32
  private var registration: Registration?

  init(
    _ engine: Engine, _ address: SocketAddress, _ service: Engine.Service, _ tls: TLSAcceptor?
  ) throws(SystemCallError) {
    self.engine = engine
    self.tls = tls
    self.service = service
    descriptor = try Socket.listen(on: address)
    self.address = Socket.localAddress(descriptor) ?? address
    super.init()
    do {
      registration = try engine.loop.register(descriptor, for: .readable, handler: self)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  override func ready(_ readiness: Readiness, token: UInt32) {
    for _ in 0..<Listener.acceptsPerTurn {
      guard engine.mayAccept else { return rest() }
      do {
        guard let (socket, peer) = try Socket.accept(descriptor) else { return }
        engine.accepted(socket, from: peer, for: service, tls: tls)
      } catch {
        return rest()
      }
    }
  }

  /// The socket stays readable while connections wait; without a rest the loop would spin.
  private func rest() {
    guard let registration else { return }
    engine.loop.update(registration, interest: [])
    engine.loop.schedule(after: Listener.pause) { [weak self] in
      guard let self, let registration = self.registration else { return }
      engine.loop.update(registration, interest: .readable)
    }
  }

  func close() {
    guard let registration else { return }
    engine.loop.deregister(registration)
    self.registration = nil
    Glibc.close(descriptor)
  }
}
