import Configuration
import EventLoop
import Logging
import OAuthCore
import ReverseProxy

/// The certificates, keys and authorities of the configuration in use, read again when their files change.
///
/// Files that cannot be used are refused with a line in the log, and what was read before serves on. All of it blocks on
/// files: never on a loop.
final class TLSFiles: @unchecked Sendable {
  // SAFETY: what changes is touched by one caller at a time: who starts the process, then `ServedConfiguration`, which
  // handles one occasion after the other and waits for what it has workers do.

  /// How often the files are looked at.
  static let interval: Duration = .seconds(60)
  /// Contexts are made anew after this time even when no file changed: the keys of session tickets go with them.
  /// Source: RFC 9325 §3.4: ticket keys are changed regularly.
  static let lifetime: Duration = .seconds(12 * 3600)

  private struct Served {
    let settings: TLSServerSettings
    var state: [ConfigurationFile.Version?]
    var madeAt: ContinuousClock.Instant
  }

  private struct Verified {
    var context: TLSClientContext
    /// nil: the system's authorities, which OpenSSL looks up itself.
    var state: ConfigurationFile.Version?
  }

  /// By listener; none: it speaks clear text.
  let acceptors: [ListenAddress: TLSAcceptor]
  private var served: [ListenAddress: Served] = [:]
  /// By the file of authorities; nil: the system's.
  private var verified: [String?: Verified] = [:]

  /// - Throws: the first file that cannot be used.
  init(_ configuration: Configuration) throws(TLSFailure) {
    var acceptors: [ListenAddress: TLSAcceptor] = [:]
    for listener in configuration.listeners {
      guard let files = listener.tls else { continue }
      let settings = TLSServerSettings(files)
      // Looked at before it is read: a change in between is found the next time.
      let state = settings.files.map { ConfigurationFile.version(of: $0) }
      acceptors[listener.address] = TLSAcceptor(try TLSServerContext(settings))
      served[listener.address] = Served(settings: settings, state: state, madeAt: .now)
    }
    self.acceptors = acceptors
    try prepare(for: configuration.upstreams)
  }

  /// Reads the authorities of upstreams that were not known before; to be called before `contexts`.
  func prepare(for upstreams: [Upstream]) throws(TLSFailure) {
    for upstream in upstreams where upstream.isVerified && verified[upstream.authorities] == nil {
      let state = upstream.authorities.flatMap { ConfigurationFile.version(of: $0) }
      verified[upstream.authorities] = Verified(
        context: try TLSClientContext(authorities: upstream.authorities), state: state)
    }
  }

  /// What the `https` servers of upstreams are verified with, by name of the upstream.
  func contexts(of upstreams: [Upstream]) -> [String: TLSClientContext] {
    var contexts: [String: TLSClientContext] = [:]
    for upstream in upstreams where upstream.isVerified { contexts[upstream.name] = verified[upstream.authorities]?.context }
    return contexts
  }

  /// Reads again what changed. Listeners get it at once, upstreams by `contexts`.
  ///
  /// - Returns: whether `contexts` gives something else than before.
  func refresh(now: ContinuousClock.Instant = .now, logger: Logger) -> Bool {
    var hasNewAuthorities = false
    for (address, known) in served {
      let state = known.settings.files.map { ConfigurationFile.version(of: $0) }
      guard state != known.state || now - known.madeAt >= Self.lifetime else { continue }
      // Told once, not every minute.
      served[address]?.state = state
      do throws(TLSFailure) {
        acceptors[address]?.replace(with: try TLSServerContext(known.settings))
        served[address]?.madeAt = now
        if state != known.state { logger.notice("certificate read again", metadata: ["listener": "\(address)"]) }
      } catch {
        logger.error(
          "certificate not usable: the one before serves on", metadata: ["listener": "\(address)", "reason": "\(error)"])
      }
    }
    for (authorities, known) in verified {
      let state = authorities.flatMap { ConfigurationFile.version(of: $0) }
      guard state != known.state else { continue }
      verified[authorities]?.state = state
      do throws(TLSFailure) {
        verified[authorities]?.context = try TLSClientContext(authorities: authorities)
        hasNewAuthorities = true
        logger.notice("authorities read again", metadata: ["file": "\(authorities ?? "")"])
      } catch {
        logger.error("authorities not usable: those before are trusted on", metadata: ["reason": "\(error)"])
      }
    }
    return hasNewAuthorities
  }
}

extension Upstream {
  fileprivate var isVerified: Bool { servers.contains { $0.scheme == .https } }
}

extension TLSServerSettings {
  fileprivate init(_ files: ListenerSettings.TLSFiles) {
    self.init(
      certificate: files.certificate.certificate, key: files.certificate.key,
      otherCertificates: files.otherCertificates.map { CertificateFiles(certificate: $0.certificate, key: $0.key) },
      clientAuthorities: files.clientAuthorities,
      clientAuthentication: files.clientAuthentication == .required ? .required : .optional)
  }
}
