import OAuthCore
import Synchronization

/// Keeps audit events for a test to read.
public final class InMemoryAuditLog: AuditLog {
  private let recorded = Mutex<[AuditEvent]>([])

  public init() {}

  public var events: [AuditEvent] { recorded.withLock { $0 } }

  public func record(_ event: AuditEvent) { recorded.withLock { $0.append(event) } }
}
