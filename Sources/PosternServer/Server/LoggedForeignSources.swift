import GatewayServer
import Logging

/// What happens between Postern and those whose tokens it takes goes to the log.
struct LoggedForeignSources: Sendable {
  private let logger = Logger(label: "foreign")

  func report(_ event: ForeignSources.Event) {
    switch event {
    case .keysFetched(let issuer, 0): logger.debug("keys fetched", metadata: ["issuer": "\(issuer)"])
    case .keysFetched(let issuer, let count):
      logger.notice("keys fetched; some are withdrawn", metadata: ["issuer": "\(issuer)", "withdrawn": "\(count)"])
    case .keysUnavailable(let issuer, let reason):
      logger.warning("no keys of a foreign issuer", metadata: ["issuer": "\(issuer)", "reason": "\(reason)"])
    case .endpointSilent(let endpoint, let reason):
      logger.warning(
        "no answer of an introspection endpoint", metadata: ["endpoint": "\(endpoint.origin)", "reason": "\(reason)"])
    }
  }
}
