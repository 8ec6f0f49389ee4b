import Synchronization

/// The TLS of a listener while it listens: the context may be replaced, connections that stand keep theirs.
public final class TLSAcceptor: Sendable {
  private let context: Mutex<TLSServerContext>

  public init(_ context: TLSServerContext) { self.context = Mutex(context) }

  /// Serves connections that are accepted from now on.
  public func replace(with context: TLSServerContext) { self.context.withLock { $0 = context } }

  public func session(on descriptor: Int32) -> TLSSession { context.withLock { $0 }.session(on: descriptor) }
}
