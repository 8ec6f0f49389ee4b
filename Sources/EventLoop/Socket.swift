import CLinux
import Glibc

/// Non-blocking TCP sockets as bare descriptors; whoever gets one closes it.
public enum Socket {
  /// Refuses an address that somebody listens on already.
  ///
  /// With `SO_REUSEPORT` the kernel would let two processes of one user share a port, and each would get half of the other's
  /// connections; a plain bind tells.
  public static func requireFree(_ address: SocketAddress) throws(SystemCallError) {
    let descriptor = try open(address)
    defer { close(descriptor) }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    guard address.withSockAddr({ bind(descriptor, $0, $1) }) == 0 else { throw SystemCallError("bind") }
  }

  /// A listening socket that shares its port with the other loops (`SO_REUSEPORT`).
  public static func listen(on address: SocketAddress, backlog: Int32 = 4096) throws(SystemCallError) -> Int32 {
    let descriptor = try open(address)
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    set(descriptor, SOL_SOCKET, SO_REUSEPORT)
    // Accepted sockets inherit it.
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    guard address.withSockAddr({ bind(descriptor, $0, $1) }) == 0 else { throw failure("bind", descriptor) }
    guard Glibc.listen(descriptor, backlog) == 0 else { throw failure("listen", descriptor) }
    return descriptor
  }

  /// Takes one waiting connection, or nil when none waits.
  public static func accept(_ listener: Int32) throws(SystemCallError) -> (descriptor: Int32, peer: SocketAddress)? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    while true {
      let descriptor = postern_accept(listener, &storage, &length)
      if descriptor >= 0 {
        guard let peer = SocketAddress(storage) else {
          close(descriptor)
          continue
        }
        return (descriptor, peer)
      }
      switch postern_errno() {
      case EAGAIN: return nil
      // The client went away while it waited: accept(2) hands over its errors; they are not ours.
      case EINTR, ECONNABORTED, EPROTO: continue
      default: throw SystemCallError("accept4")
      }
    }
  }

  /// Starts a connection; it is established when the descriptor becomes writable without error.
  public static func connect(to address: SocketAddress) throws(SystemCallError) -> (descriptor: Int32, isConnected: Bool) {
    let descriptor = try open(address)
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    if address.withSockAddr({ Glibc.connect(descriptor, $0, $1) }) == 0 { return (descriptor, true) }
    guard postern_errno() == EINPROGRESS else { throw failure("connect", descriptor) }
    return (descriptor, false)
  }

  /// The error that ended a connection attempt, 0 for none.
  public static func pendingError(_ descriptor: Int32) -> Int32 {
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
    return error
  }

  /// The address a listening socket got, for port 0.
  public static func localAddress(_ descriptor: Int32) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // SAFETY: the kernel writes at most `length` bytes, which the storage has.
    let status = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return status == 0 ? SocketAddress(storage) : nil
  }

  private static func open(_ address: SocketAddress) throws(SystemCallError) -> Int32 {
    let descriptor = postern_socket(address.address.count == 4 ? AF_INET : AF_INET6)
    guard descriptor >= 0 else { throw SystemCallError("socket") }
    return descriptor
  }

  private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
    var one: Int32 = 1
    setsockopt(descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func failure(_ call: StaticString, _ descriptor: Int32) -> SystemCallError {
    let error = SystemCallError(call)
    close(descriptor)
    return error
  }
}
