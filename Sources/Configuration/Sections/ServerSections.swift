import Cryptography
import NetworkAddress
import OAuthCore
import ReverseProxy

extension YAMLValue {
  /// Source: RFC 8414 §2: https, no query, no fragment. Plain http is for loopback.
  var issuer: Origin? {
    guard let text else { return nil }
    let origin: Origin
    do { origin = try Origin(text) } catch { return fault("issuer: \(error.description)") }
    guard origin.scheme == .https || origin.isLoopback else {
      return fault("issuer must begin with https://; http:// is for loopback addresses only")
    }
    // Issuers are compared as strings (RFC 9207 §2.4), so there is one way to write it.
    guard origin.description == text else { return fault("issuer must be written \"\(origin)\"") }
    return origin
  }

  var listeners: [ListenerSettings]? {
    var addresses: Set<ListenAddress> = []
    let listeners = list { value in
      value.section { listener -> ListenerSettings? in
        let address = listener.required("address") { $0.listenAddress }
        let tls = listener.optional("tls") { $0.listenerFiles }
        guard let address else { return nil }
        guard addresses.insert(address).inserted else { return value.fault("\(value.path): \"\(address)\" is listed twice") }
        return ListenerSettings(address: address, tls: tls)
      }
    }
    if let listeners, listeners.isEmpty { return fault("listen must have an address") }
    return listeners
  }

  private var listenerFiles: ListenerSettings.TLSFiles? {
    section { tls in
      let certificate = tls.certificateFiles()
      let others = tls.optional("certificates", default: []) { $0.list { $0.section { $0.certificateFiles() } } }
      let authorities = tls.optional("client_ca") { $0.absolutePath }
      let authentication = tls.optional("client_auth") { $0.choice(ListenerSettings.TLSFiles.ClientAuthentication.self) }
      if authentication != nil, tls.member("client_ca") == nil {
        tls.member("client_auth")?.fault("\(path): client_auth needs client_ca, the authorities of the clients")
      }
      guard let certificate, let others else { return nil }
      return ListenerSettings.TLSFiles(
        certificate: certificate.certificate, key: certificate.key, otherCertificates: others, clientAuthorities: authorities, clientAuthentication: authentication ?? .required)
    }
  }

  /// Of a file that is read again while the process runs: a relative one would depend on where it was started.
  var absolutePath: String? {
    guard let text else { return nil }
    return text.hasPrefix("/") ? text : fault("\(path) must be an absolute path, not \"\(text)\"")
  }

  var listenAddress: ListenAddress? {
    guard let text else { return nil }
    return ListenAddress(text) ?? fault("\(path) must be an IP address and a port such as 0.0.0.0:8443, not \"\(text)\"")
  }

  var addressBlock: AddressBlock? {
    guard let text else { return nil }
    return AddressBlock(text)
      ?? fault("\(path) must be an address or a block such as 10.0.0.0/8 (with zeros behind the prefix), not \"\(text)\"")
  }

  /// A connection string without password may stand in the file.
  var databaseURI: Secret? {
    guard let (secret, isLiteral) = secretOrLiteral else { return nil }
    let text = secret.exposedText
    guard text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") || text.contains("=") else {
      return fault("database must be a libpq connection string such as postgresql://user@host/name")
    }
    let authority = text.split(separator: "//", maxSplits: 1).dropFirst().first?.prefix { $0 != "/" && $0 != "?" }
    let userInformation = authority.flatMap { part in part.lastIndex(of: "@").map { part[..<$0] } }
    if isLiteral, userInformation?.contains(":") == true || text.lowercased().contains("password") {
      return fault("database: a password does not stand in the file; write \"${env:NAME}\" or \"${file:/path}\"")
    }
    return secret
  }

  /// Secrets of 32 random bytes in base64.
  var keyRing: KeyRing? {
    section { keys -> KeyRing? in
      let active = keys.required("active", "the id of the key that seals from now on") { $0.text }
      let ring = keys.required("ring") { value in
        value.list { entry in
          entry.section { key -> (id: String, secret: Secret)? in
            let id = key.required("id") { $0.text }
            let secret = key.required("secret") { $0.keySecret }
            guard let id, let secret else { return nil }
            return (id, secret)
          }
        }
      }
      guard let active, let ring else { return nil }
      do throws(KeyRingError) {
        return try KeyRing(active: active, keys: ring)
      } catch {
        if case .activeKeyMissing = error {
          return keys.member("active")?.fault("keys: \(error)\(didYouMean(active, among: ring.map(\.id)))")
        }
        return fault("keys: \(error)")
      }
    }
  }

  private var keySecret: Secret? {
    guard let secret else { return nil }
    guard let bytes = Base64.decode(secret.exposedBytes), bytes.count == 32 else {
      return fault("\(path) must be exactly 32 bytes in base64; make one with: openssl rand -base64 32")
    }
    return Secret(bytes: bytes)
  }

  var shutdown: ShutdownSettings? {
    section { section in
      var shutdown = ShutdownSettings()
      section.replace(&shutdown.delay, "delay") { $0.duration(in: .zero ... .seconds(600)) }
      section.replace(&shutdown.drain, "drain") { $0.duration(in: .zero ... .seconds(3600)) }
      return shutdown
    }
  }

  var limits: Limits? {
    section { section in
      var limits = Limits()
      section.replace(&limits.requestLineBytesMax, "request_line") { $0.byteCount(in: 1024...65_536) }
      section.replace(&limits.fieldBytesMax, "field_bytes") { $0.byteCount(in: 4096...1_048_576) }
      section.replace(&limits.fieldCountMax, "field_count") { $0.count(in: 16...1000) }
      section.replace(&limits.responseFieldBytesMax, "response_field_bytes") { $0.byteCount(in: 4096...1_048_576) }
      section.replace(&limits.connectionsMax, "connections") { $0.count(in: 16...1_000_000) }
      section.replace(&limits.connectionsPerSourceMax, "connections_per_source") { $0.count(in: 1...1_000_000) }
      section.replace(&limits.headerTimeout, "header_timeout") { $0.duration(in: .seconds(1) ... .seconds(600)) }
      section.replace(&limits.idleTimeout, "idle_timeout") { $0.duration(in: .seconds(1) ... .seconds(3600)) }
      section.replace(&limits.minimumBodyRate, "minimum_body_rate") { $0.byteRate(in: 1...(1 << 30)) }
      section.replace(&limits.http2StreamsMax, "http2_streams") { $0.count(in: 1...10_000) }
      section.replace(&limits.http2ResetsMax, "http2_resets") { $0.count(in: 1...1_000_000) }
      section.replace(&limits.http2ControlFramesMax, "http2_control_frames") { $0.count(in: 10...1_000_000) }
      return limits
    }
  }
}

extension Section {
  fileprivate func certificateFiles() -> ListenerSettings.TLSFiles.CertificateFiles? {
    let certificate = required("certificate", "the PEM file of the server's certificate and those above it") { $0.absolutePath }
    let key = required("key", "the PEM file of the certificate's key") { $0.absolutePath }
    guard let certificate, let key else { return nil }
    return ListenerSettings.TLSFiles.CertificateFiles(certificate: certificate, key: key)
  }
}
