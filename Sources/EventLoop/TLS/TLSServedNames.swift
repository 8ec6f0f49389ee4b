import CLibSSL
import Glibc

/// Whom a server's certificate is for: host names, every host one label below a domain, and addresses.
///
/// Source: RFC 9525 §6.3 to §6.5: by `subjectAltName` alone; a subject's common name is nobody's.
public struct TLSServedNames: Sendable {
  private var hosts: Set<String> = []
  /// `.example.com` of `*.example.com`.
  private var domains: Set<String> = []
  private var addresses: Set<[UInt8]> = []

  /// - Parameter certificate: nil: nobody's.
  init(of certificate: OpaquePointer?) {
    guard let certificate, let names = postern_x509_alt_names(certificate) else { return }
    defer { GENERAL_NAMES_free(names) }
    for index in 0..<postern_alt_name_count(names) {
      var bytes: UnsafePointer<UInt8>?
      var count: Int32 = 0
      let kind = postern_alt_name(names, index, &bytes, &count)
      // SAFETY: OpenSSL keeps `count` bytes there until the names are freed; none where the kind is another.
      let value = UnsafeBufferPointer(start: bytes, count: Int(count))
      switch kind {
      case GEN_DNS: add(host: String(decoding: value, as: UTF8.self).lowercased())
      case GEN_IPADD: addresses.insert(Array(value))
      default: break
      }
    }
  }

  /// A wildcard is the whole of the first label. Source: RFC 9525 §6.3.
  private mutating func add(host: String) {
    if host.hasPrefix("*.") { domains.insert(String(host.dropFirst())) } else { hosts.insert(host) }
  }

  var isEmpty: Bool { hosts.isEmpty && domains.isEmpty && addresses.isEmpty }

  /// Whether a name is there in so many words.
  ///
  /// - Parameter host: in lower case.
  func has(host: String) -> Bool { hosts.contains(host) }

  /// Whether a wildcard stands for a name.
  ///
  /// - Parameter host: in lower case.
  func hasDomain(of host: String) -> Bool {
    guard let dot = host.firstIndex(of: "."), dot > host.startIndex else { return false }
    return domains.contains(String(host[dot...]))
  }

  /// Whether the certificate is good for an authority of a request.
  ///
  /// - Parameter authority: `host`, `host:port`, an address or `[address]:port`; letters of any case.
  public func cover(authority: String) -> Bool {
    let host = TLSServedNames.host(of: authority)
    if let address = TLSServedNames.address(host) { return addresses.contains(address) }
    return has(host: host) || hasDomain(of: host)
  }

  /// In lower case, without port, brackets and the dot of the root.
  private static func host(of authority: String) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return authority[authority.index(after: authority.startIndex)..<end].lowercased()
    }
    let host = authority.prefix { $0 != ":" }.lowercased()
    return host.hasSuffix(".") ? String(host.dropLast()) : host
  }

  private static func address(_ host: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, host, &bytes) == 1 { return Array(bytes[..<4]) }
    return inet_pton(AF_INET6, host, &bytes) == 1 ? bytes : nil
  }
}
