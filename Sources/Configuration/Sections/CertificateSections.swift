import Cryptography
import OAuthCore
import ReverseProxy

extension Section {
  /// The one name that a client's certificate has to have: `subject_dn`, `san_dns`, `san_uri`, `san_ip` or `san_email`.
  ///
  /// Source: RFC 8705 §2.1.2.
  func certificateName() -> CertificateName? {
    let names: [CertificateName?] = [
      optional("subject_dn") { $0.certificateText.map { CertificateName.subject($0) } },
      optional("san_dns") { $0.certificateText.map { .dns($0.lowercased()) } },
      optional("san_uri") { $0.certificateText.map { .uri($0) } },
      optional("san_email") { $0.certificateText.map { .email($0) } },
      optional("san_ip") { value in
        value.text.flatMap { CertificateName(address: $0) ?? value.fault("\(value.path) must be an IP address, not \"\($0)\"") }
      },
    ]
    let keys = ["subject_dn", "san_dns", "san_uri", "san_email", "san_ip"].filter { member($0) != nil }
    guard keys.count == 1 else {
      return value.fault("\(value.path) must have exactly one of subject_dn, san_dns, san_uri, san_email and san_ip (RFC 8705 §2.1.2)")
    }
    return names.compactMap { $0 }.first
  }
}

extension YAMLValue {
  /// What nobody's certificate has would lock the client out; what is empty could be anybody's.
  fileprivate var certificateText: String? {
    guard let text else { return nil }
    return text.isEmpty ? fault("\(path) must not be empty") : text
  }
}

extension Section {
  /// What rests on clients' certificates needs a listener that asks for them.
  func requireCertificates(_ listeners: [ListenerSettings]?, for clients: [Client]?, _ routes: [Route]?) {
    guard let listeners, !listeners.contains(where: { $0.tls?.clientAuthorities != nil }) else { return }
    for client in clients ?? [] where client.authentication == .tlsClientAuth {
      member("clients")?.fault("client \"\(client.id)\" has tls_client_auth, but no listener has client_ca")
    }
    for client in clients ?? [] where client.bindsTokens && client.authentication != .tlsClientAuth {
      member("clients")?.fault("client \"\(client.id)\" has certificate_bound, but no listener has client_ca")
    }
    for route in routes ?? [] where route.clientCertificate != .none {
      member("routes")?.fault("route \"\(route.name)\" has client_certificate, but no listener has client_ca")
    }
  }
}
