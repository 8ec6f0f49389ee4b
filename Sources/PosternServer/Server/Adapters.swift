import Broker
import EventLoop
import GatewayServer
import Logging
import OAuthCore

/// Audit events go to the log, one line each.
struct LoggedAudit: AuditLog {
  private let logger = Logger(label: "audit")

  func record(_ event: AuditEvent) {
    guard logger.logLevel <= .info else { return }
    var metadata: Logger.Metadata = ["remote_address": "\(event.remoteAddress)"]
    if let client = event.client { metadata["client"] = "\(client)" }
    if let subject = event.subject { metadata["subject"] = "\(subject)" }
    if let grantType = event.grantType { metadata["grant_type"] = "\(grantType)" }
    if let scope = event.scope { metadata["scope"] = "\(scope)" }
    if let artefact = event.artefact { metadata["artefact"] = "\(artefact)" }
    if let error = event.error { metadata["error"] = "\(error.rawValue)" }
    logger.info("\(event.kind.rawValue)", metadata: metadata)
  }
}

/// The worker pool, as the domain sees it.
struct PooledWork: BlockingWork {
  let pool: WorkerPool

  func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws(StoreFailure) -> Result {
    do { return try await pool.run(body) } catch { throw .overloaded }
  }
}

/// Waits on the loop that the task runs on.
struct LoopSleeper: Sleeper {
  let loop: EventLoop

  func sleep(for duration: Duration) async { await loop.sleep(for: duration) }
}

/// The connections of users, as the data plane sees them.
struct ConnectedCredentials: ConnectionSource {
  let credentials: LiveCredentials
  let directory: any ConnectionDirectory
  let issuer: String

  func credential(
    for provider: ProviderID, of subject: Subject, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential {
    try await credentials.credential(
      for: provider, of: .subject(subject), replacing: generation, isRefused: generation != nil)
  }

  func owner(of connection: Locator, at provider: ProviderID) async throws(BrokerFailure) -> Subject? {
    let found: ConnectionDetails?
    do { found = try await directory.connection(id: "\(connection)") } catch {
      throw .unavailable(retryAfter: .seconds(1))
    }
    guard let found, found.key.provider == provider, case .subject(let subject) = found.key.owner else { return nil }
    return subject
  }

  func connectURL(for provider: ProviderID) -> String { "\(issuer)/connect/\(provider)" }
}

/// What happens between Postern and its providers goes to the log.
struct LoggedBroker: BrokerObserver {
  private let logger = Logger(label: "broker")

  func observe(_ event: BrokerEvent, of connection: ConnectionKey) {
    var metadata: Logger.Metadata = ["provider": "\(connection.provider)"]
    switch connection.owner {
    case .subject(let subject), .exchanged(let subject): metadata["subject"] = "\(subject)"
    case .service: break
    }
    switch event {
    case .obtained: logger.info("credential obtained", metadata: metadata)
    case .connected(let generation): logger.info("account connected, generation \(generation)", metadata: metadata)
    case .disconnected: logger.info("account disconnected", metadata: metadata)
    case .adopted(let generation): logger.debug("credential of generation \(generation) adopted", metadata: metadata)
    case .stored(let generation): logger.debug("credential of generation \(generation) stored", metadata: metadata)
    case .failed(let failure, let pause):
      logger.warning("no credential: \(failure); next try in \(pause)", metadata: metadata)
    default: logger.warning("\(event)", metadata: metadata)
    }
  }
}
