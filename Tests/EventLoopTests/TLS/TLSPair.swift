import CLibSSL
import TestCertificates

@testable import EventLoop

/// Both ends of a TLS connection over two connected sockets, driven in turn by one thread.
final class TLSPair {
  let sockets: SocketPair
  let client: TLSSession
  let server: TLSSession

  convenience init(_ acceptor: TLSAcceptor) throws {
    try self.init(authorities: TestCertificates.shared.authority.certificate) { acceptor.session(on: $0) }
  }

  convenience init(
    server context: TLSServerContext, authorities: String? = TestCertificates.shared.authority.certificate,
    client: TLSClientContext? = nil, host: String = "localhost", cache: TLSSessionCache = TLSSessionCache()
  ) throws {
    try self.init(authorities: authorities, client: client, host: host, cache: cache) { context.session(on: $0) }
  }

  private init(
    authorities: String?, client: TLSClientContext? = nil, host: String = "localhost",
    cache: TLSSessionCache = TLSSessionCache(), server: (Int32) -> TLSSession
  ) throws {
    sockets = try SocketPair()
    self.server = server(sockets.far)
    self.client = try (client ?? TLSClientContext(authorities: authorities))
      .session(on: sockets.near, to: host, resuming: cache)
  }

  /// - Returns: what stopped the client or the server; nil for neither.
  func handshake() -> (client: TLSFailure?, server: TLSFailure?) {
    var (clientIsDone, serverIsDone) = (false, false)
    for _ in 0..<20 where !(clientIsDone && serverIsDone) {
      if !clientIsDone {
        switch client.handshake() {
        case .done: clientIsDone = true
        case .pending: break
        case .failed(let failure):
          // The server reads the alert.
          if case .failed(let other) = server.handshake() { return (failure, other) }
          return (failure, nil)
        }
      }
      if !serverIsDone {
        switch server.handshake() {
        case .done: serverIsDone = true
        case .pending: break
        case .failed(let failure):
          if case .failed(let other) = client.handshake() { return (other, failure) }
          return (nil, failure)
        }
      }
    }
    return clientIsDone && serverIsDone ? (nil, nil) : (.connectionLost, .connectionLost)
  }
}

extension TLSSession {
  func send(_ text: String) -> Int? { Array(text.utf8).withUnsafeBytes { write($0) } }

  func receive(_ limit: Int = 1024) -> (outcome: Read, text: String) {
    var bytes = [UInt8](repeating: 0, count: limit)
    let outcome = bytes.withUnsafeMutableBytes { read(into: $0) }
    guard case .bytes(let count, _) = outcome else { return (outcome, "") }
    return (outcome, String(decoding: bytes[..<count], as: UTF8.self))
  }
}

/// What tests make of a client that the product never is.
extension TLSSession {
  func present(certificate: String, key: String) {
    precondition(SSL_use_certificate_file(pointer, certificate, SSL_FILETYPE_PEM) == 1)
    precondition(SSL_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1)
  }

  /// - Parameter protocols: as ALPN writes a list.
  func offer(protocols: [UInt8]) { precondition(SSL_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0) }

  func restrict(toVersion version: Int) {
    precondition(SSL_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, version, nil) == 1)
    precondition(SSL_ctrl(pointer, SSL_CTRL_SET_MAX_PROTO_VERSION, version, nil) == 1)
  }
}
