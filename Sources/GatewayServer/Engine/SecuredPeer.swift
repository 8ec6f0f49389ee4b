import Cryptography
import EventLoop
import HTTPWire
import ReverseProxy

/// What the TLS of a client connection says about its two ends, for every request and stream on it.
final class SecuredPeer {
  /// nil: the listener has one certificate, and answers for whatever host it is asked for.
  private let servedNames: TLSServedNames?
  /// What the client showed and proved to hold the key of, in DER; nil: it showed none.
  let certificate: [UInt8]?
  /// SHA-256 of it. Source: RFC 8705 §3.1.
  let thumbprint: Digest256?
  private let certificateLine: [UInt8]
  private let chainLine: [UInt8]
  /// The authority that was found to be the certificate's last: a connection has few.
  private var covered: [UInt8] = []

  /// nil: nothing that a request depends on.
  init?(_ session: TLSSession) {
    let peer = session.peerCertificate
    servedNames = session.servedNames
    guard servedNames != nil || peer != nil else { return nil }
    certificate = peer?.encoded
    thumbprint = certificate.map { SHA256.digest($0) }
    certificateLine = peer.map { Array("Client-Cert: \(SecuredPeer.item($0.encoded))\r\n".utf8) } ?? []
    let chain = peer?.chain.map { SecuredPeer.item($0) } ?? []
    chainLine = chain.isEmpty ? [] : Array("Client-Cert-Chain: \(chain.joined(separator: ", "))\r\n".utf8)
  }

  /// Whether the connection's certificate is for the host that a request names. Other requests were meant for somebody
  /// else, or for another certificate and what clients have to prove behind it.
  ///
  /// Source: RFC 9110 §7.4, §15.5.20.
  func serves(_ authority: Span<UInt8>) -> Bool {
    guard let servedNames, authority.count > 0 else { return true }
    if authority.withUnsafeBufferPointer({ $0.elementsEqual(covered) }) { return true }
    guard servedNames.cover(authority: authority.text(ByteRange(0, authority.count))) else { return false }
    covered = authority.withUnsafeBufferPointer { Array($0) }
    return true
  }

  /// Tells an upstream who the client proved to be. Source: RFC 9440 §2.2, §2.3.
  func append(to request: inout ByteQueue, _ rule: ClientCertificateRule) {
    guard rule != .none else { return }
    request.append(certificateLine)
    if rule == .chain { request.append(chainLine) }
  }

  /// A byte sequence. Source: RFC 9440 §2.1; RFC 8941 §3.3.5.
  private static func item(_ certificate: [UInt8]) -> String { ":\(Base64.encode(certificate)):" }
}
