import Broker
import EventLoop

/// Decides which addresses of a host may be connected to: all of them, or the request is refused.
///
/// A name with one public and one private address is refused as a whole: which one is used would be the attacker's choice.
struct AddressGuard: Sendable {
  let resolver: any NameResolver
  let pool: WorkerPool

  /// - Returns: at least one address.
  func addresses(of url: EndpointURL, allowLocal: Bool) async throws(TransportFailure) -> [SocketAddress] {
    let addresses = try await resolve(url)
    guard !addresses.isEmpty else { throw .resolution }
    let isAllowed = addresses.allSatisfy { address in
      switch AddressClass(address) {
      case .global: true
      case .local: allowLocal
      case .forbidden: false
      }
    }
    guard isAllowed else { throw .refusedAddress }
    return addresses
  }

  private func resolve(_ url: EndpointURL) async throws(TransportFailure) -> [SocketAddress] {
    if let literal = SocketAddress(literal: url.host, port: url.port) { return [literal] }
    do {
      return try await pool.run { [resolver] in resolver.addresses(of: url.host, port: url.port) }
    } catch {
      throw .overloaded
    }
  }
}
