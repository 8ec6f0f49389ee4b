import CLibSSL
import Glibc
import HTTPWire
import ReverseProxy
import TestCertificates

@testable import EventLoop
@testable import GatewayServer

/// TLS for the ends that tests play; waits for its socket.
final class SecureConnection: TestConnection {
  let raw: RawConnection
  let session: TLSSession
  var pending: [UInt8] = []
  /// How the other side ended: with close_notify, without, or not yet.
  private(set) var ending: Ending?

  enum Ending { case closeNotify, truncation }

  /// A client of the gateway.
  ///
  /// - Parameter identity: the client's certificate file, with those above it.
  init(
    to address: SocketAddress, authorities: String = TestCertificates.shared.authority.certificate,
    offering protocols: [ApplicationProtocol] = [.http11], resuming cache: TLSSessionCache = TLSSessionCache(),
    host: String = "localhost", identity: TestCertificates.Pair? = nil
  ) throws {
    raw = try RawConnection(to: address)
    session = try TLSClientContext(authorities: authorities)
      .session(on: raw.descriptor, to: host, offering: protocols, resuming: cache)
    if let identity {
      SSL_use_certificate_chain_file(session.pointer, identity.certificate)
      SSL_use_PrivateKey_file(session.pointer, identity.key, SSL_FILETYPE_PEM)
    }
    try handshake()
  }

  /// The gateway's upstream.
  init(accepting raw: RawConnection, with context: TLSServerContext) throws {
    self.raw = raw
    session = context.session(on: raw.descriptor)
    try handshake()
  }

  private func handshake() throws {
    // A blocking socket would make OpenSSL wait for more when what came is all there is.
    _ = fcntl(raw.descriptor, F_SETFL, fcntl(raw.descriptor, F_GETFL) | O_NONBLOCK)
    while true {
      switch session.handshake() {
      case .done: return
      case .pending: guard wait(for: POLLIN) else { throw TLSFailure.connectionLost }
      case .failed(let failure): throw failure
      }
    }
  }

  /// Long enough for any loaded machine; only a failing test waits for it.
  private func wait(for event: Int32) -> Bool {
    var waiting = pollfd(fd: raw.descriptor, events: Int16(event), revents: 0)
    return poll(&waiting, 1, 10_000) == 1
  }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while true {
      guard let count = bytes.withUnsafeBytes({ session.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) })
      else { return false }
      sent += count
      if sent == bytes.count { return true }
      guard wait(for: POLLOUT) else { return false }
    }
  }

  /// Sends a message of TLS's own: nothing to read for whoever waits for content. Source: RFC 8446 §4.6.3.
  func updateKeys() {
    precondition(SSL_key_update(session.pointer, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
    precondition(SSL_do_handshake(session.pointer) == 1)
  }

  func end() { _ = session.sendCloseNotify() }

  func fill() -> Bool {
    guard ending == nil else { return false }
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    switch buffer.withUnsafeMutableBytes({ session.read(into: $0) }) {
    case .bytes(let count, _):
      pending += buffer[..<count]
      return true
    case .end: ending = .closeNotify
    case .failed: ending = .truncation
    case .pending: return wait(for: POLLIN)
    case .awaitsWritable: return wait(for: POLLOUT)
    }
    return false
  }
}

extension ScriptedUpstream {
  /// An upstream behind TLS.
  ///
  /// - Parameter failed: gets what stopped a handshake.
  convenience init(
    certificate: TestCertificates.Pair, failed: @escaping @Sendable (any Error) -> Void = { _ in },
    _ script: @escaping @Sendable (SecureConnection, Int) -> Void
  ) throws {
    let context = try TLSServerContext(TLSServerSettings(certificate: certificate.certificate, key: certificate.key))
    try self.init { raw, number in
      do { script(try SecureConnection(accepting: raw, with: context), number) } catch { failed(error) }
    }
  }
}

extension Gateway {
  /// One more listener, with TLS.
  func listenSecurely(_ settings: TLSServerSettings = .server) throws -> SocketAddress {
    let acceptor = TLSAcceptor(try TLSServerContext(settings))
    return onEngine { try! $0.listen(on: SocketAddress(literal: "127.0.0.1", port: 0)!, tls: acceptor) }
  }

  /// One anonymous route `/**` to an upstream that is called `host` and verified.
  static func verifying(
    _ upstream: SocketAddress, host: String = "localhost", timeouts: Upstream.Timeouts = .init(),
    limits: EngineLimits = EngineLimits()
  ) throws -> Gateway {
    let gateway = try Gateway.open(upstream, limits: limits)
    let origin = try Origin("https://\(host):\(upstream.port)")
    let snapshot = GatewaySnapshot(
      routes: try RouteTable([.everything()]), upstreams: [Upstream(name: "up", servers: [origin], timeouts: timeouts)],
      addresses: [origin: [upstream]],
      tls: ["up": try TLSClientContext(authorities: TestCertificates.shared.authority.certificate)])
    gateway.onEngine { $0.apply(snapshot) }
    return gateway
  }
}

extension TLSServerSettings {
  static let server = TLSServerSettings(
    certificate: TestCertificates.shared.server.certificate, key: TestCertificates.shared.server.key)
}
