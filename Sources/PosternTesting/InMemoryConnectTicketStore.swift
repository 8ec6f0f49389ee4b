import Broker
import OAuthCore
import Synchronization

/// `ConnectTicketStore` in memory.
public final class InMemoryConnectTicketStore: ConnectTicketStore {
  private let tickets = Mutex<[Locator: ConnectTicket]>([:])

  public init() {}

  public func issue(_ ticket: ConnectTicket, at now: Timestamp) async throws(StoreFailure) {
    tickets.withLock { $0[ticket.locator] = ticket }
  }

  public func ticket(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket? {
    tickets.withLock { $0[handle.locator] }.flatMap { $0.secretHash == handle.secretHash && now < $0.expiresAt ? $0 : nil }
  }

  public func take(_ handle: Handle, at now: Timestamp) async throws(StoreFailure) -> ConnectTicket? {
    guard let ticket = try await ticket(handle, at: now) else { return nil }
    return tickets.withLock { $0.removeValue(forKey: handle.locator) == nil ? nil : ticket }
  }
}
