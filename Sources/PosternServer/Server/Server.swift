import Broker
import Configuration
import Cryptography
import EgressHTTP
import EventLoop
import GatewayServer
import Glibc
import Logging
import OAuthCore
import PostgresClient
import PostgresStore
import Synchronization

/// A whole Postern: started, ready and stopped here, in this order and its reverse.
final class Server: Sendable {
  /// For a database that is not up yet when the process starts.
  private static let databaseWait: Duration = .seconds(60)

  private let file: ConfigurationFile
  private let version: ConfigurationFile.Version?
  /// As it was at start.
  private let configuration: Configuration
  private let grants: [any GrantHandler]
  private let logger = Logger(label: "postern")
  private let isStopping = Atomic(false)

  /// Reads and checks the file; every mistake in it is reported at once.
  init(_ file: ConfigurationFile, grants: [any GrantHandler]) throws(ConfigurationErrors) {
    self.file = file
    // The version first: what is written while the file is read makes another one.
    version = file.version
    configuration = try file.load()
    self.grants = grants
  }

  /// Runs until `requests` asks to stop.
  ///
  /// - Parameter onReady: called once, when everything listens.
  func run(until requests: AsyncStream<SignalWaiter.Request>, onReady: () -> Void) async throws {
    let clock = SystemClock()
    let files: TLSFiles
    do { files = try TLSFiles(configuration) } catch { throw CommandFailure("\(error)") }
    // Two pools: name servers that hang must not keep people from signing in.
    let workers = WorkerPool()
    let resolvers = WorkerPool(threads: 4)
    let openFiles = ProcessLimits.raiseOpenFiles()
    let group = try EventLoopGroup(count: ProcessLimits.processorCount, separatesDescriptors: true)
    group.start()
    defer { group.stop() }
    let loops = group.loops

    // The database: schema, pools, partitions.
    let database = PostgresConfiguration(connectionString: configuration.database.exposedText)
    try await migrate(on: loops[0], database)
    let pools = await openPools(on: loops, database)
    let poolGroup = PoolGroup(pools)
    let stores = Stores(pools: poolGroup, logger: logger)
    let janitor = Janitor(pools: poolGroup, retention: Retention(configuration), clock: clock, logger: logger)
    await loops[0].task { await janitor.run() }.value
    let maintenance = loops[0].task { await janitor.repeatForever(on: loops[0]) }

    // The token plane.
    let signingKeys = try await loadSigningKeys(stores, on: loops[0], clock: clock)
    try await requireReadableConnections(stores, on: loops[0])
    let changes = ChangeRelay()
    let egress = EgressClient(loops: loops, pool: resolvers)
    let directory = ProviderDirectory(transport: egress, clock: clock, executor: loops[0])
    let assertions = IdentityAssertions(issuer: configuration.issuer.description, signingKeys: signingKeys)
    let credentials = LiveCredentials(
      providers: configuration.providers, store: stores.connections, transport: egress, directory: directory, assertions: assertions,
      keyRing: configuration.keys, clock: clock, random: SystemRandom(), sleeper: LoopSleeper(loop: loops[0]), executor: loops[0],
      observer: LoggedBroker())
    let services = TokenServices(
      configuration, stores: stores, signingKeys: signingKeys, changes: changes, workers: workers, transport: egress,
      directory: directory, credentials: credentials, clock: clock)
    let tokenPlane = try TokenPlane(configuration, grants: grants, services: services)

    // The broker and the proxy plane.
    let scheduler = RenewalScheduler(
      credentials: credentials, queue: stores.renewals, incidents: stores.incidents, clock: clock, random: SystemRandom(),
      sleeper: LoopSleeper(loop: loops[0]))
    let feed = ChangeListener(
      loop: loops[0], pool: pools[0], configuration: database, observers: [changes], logger: logger)
    services.freshness.follow(feed)
    let strangers = LoggedForeignSources()
    let foreign = ForeignSources(
      ownIssuer: services.issuer, transport: egress, clock: clock, executor: loops[0], changes: changes,
      report: strangers.report)
    var limits = EngineLimits()
    limits.request = configuration.limits
    let dataPlane = await DataPlane(
      group: group, endpoints: tokenPlane.endpoints,
      ports: Engine.Ports(
        verifier: services.verifier, freshness: FeedFreshness(feed: feed), credentials: credentials,
        connections: ConnectedCredentials(
          credentials: credentials, directory: stores.connectionDirectory, issuer: services.issuer), foreign: foreign,
        assertions: assertions),
      limits: limits, trustedProxies: configuration.trustedProxies,
      via: ViaField(deployment: configuration.issuer.description),
      accessLog: logger.logLevel <= .info ? LogWriter.standardError.append : nil,
      tlsFailed: { [logger] server, failure in
        logger.warning("no TLS session with an upstream", metadata: ["server": "\(server)", "reason": "\(failure)"])
      },
      healthChanged: { [logger] server, isHealthy in
        logger.warning(
          isHealthy ? "a server is well again" : "a server fails its health checks",
          metadata: ["upstream": "\(server.upstream)", "server": "\(server.origin)", "address": "\(server.address)"])
      },
      serverEjected: { [logger] server in
        logger.warning(
          "a server is left out for a while: it failed too many requests in a row",
          metadata: ["upstream": "\(server.upstream)", "server": "\(server.origin)", "address": "\(server.address)"])
      })
    // In this order: a loop that forgets asks the broker, which must have forgotten by then.
    changes.add([credentials, dataPlane])
    loops[0].execute { feed.start() }
    let api = CurrentAPI(tokenPlane.api)
    let webhooks = WebhookDispatcher(
      endpoints: configuration.webhooks, store: stores.webhooks, transport: egress, clock: clock, random: SystemRandom(),
      sleeper: LoopSleeper(loop: loops[0])
    ) { [logger] report in
      logger.warning(
        "a webhook was not delivered",
        metadata: ["endpoint": "\(report.endpoint)", "result": "\(report.result)", "attempt": "\(report.attempt)"])
    }
    let served = ServedConfiguration(
      configuration, from: file, version: version, tokenPlane: tokenPlane, grants: grants, files: files,
      reach: ServedConfiguration.Reach(
        services: services, credentials: credentials, foreign: foreign, dataPlane: dataPlane, changes: changes,
        janitor: janitor, api: api, webhooks: webhooks),
      loop: loops[0], workers: workers, resolvers: resolvers)
    await loops[0].task { await served.start() }.value

    // The doors.
    for listener in configuration.listeners {
      try await dataPlane.listen(on: listener.address, tls: files.acceptors[listener.address])
    }
    if let admin = configuration.admin {
      let endpoints = adminEndpoints(dataPlane, served, api, pools: pools, feed: feed)
      try await dataPlane.listen(on: admin, serving: .endpoints(endpoints))
    }
    let renewals = loops[0].task { await scheduler.run() }
    let deliveries = loops[0].task { await webhooks.run() }
    logger.notice(
      "serving",
      metadata: ["issuer": "\(configuration.issuer)", "loops": "\(loops.count)", "open_files": "\(openFiles)"])
    onReady()

    for await request in requests {
      if case .stop = request { break }
      served.reload()
    }

    // The reverse: others hear of it, no new work comes, what is under way ends, what was received is stored.
    isStopping.store(true, ordering: .relaxed)
    logger.notice("stopping")
    let shutdown = await loops[0].task { served.shutdown }.value
    dataPlane.announceStop()
    await wait(shutdown.delay, orUntil: requests)
    await loops[0].task { served.stop() }.value
    await dataPlane.drain(within: shutdown.drain)
    maintenance.cancel()
    renewals.cancel()
    deliveries.cancel()
    await credentials.shutdown()
    await egress.shutdown()
    await loops[0].task { feed.stop() }.value
    for pool in pools { await pool.loop.task { await pool.close() }.value }
  }

  // MARK: Steps

  /// Leaves load balancers the time to look elsewhere. Who asks to stop once more does not wait for them.
  private func wait(_ delay: Duration, orUntil requests: AsyncStream<SignalWaiter.Request>) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await Task.sleep(for: delay) }
      group.addTask {
        for await request in requests { if case .stop = request { return } }
        // The end of the stream asks for nothing: the other task decides.
        try? await Task.sleep(for: delay)
      }
      await group.next()
      group.cancelAll()
    }
  }

  /// A database that does not answer yet is waited for, since containers start in any order.
  private func migrate(on loop: EventLoop, _ database: PostgresConfiguration) async throws {
    let deadline = ContinuousClock.now + Self.databaseWait
    while let reason = try await missingDatabase(on: loop, database) {
      guard ContinuousClock.now < deadline else { throw MigrationError.unreachable(reason: reason) }
      logger.warning("waiting for the database", metadata: ["reason": "\(reason)"])
      try await Task.sleep(for: .seconds(1))
    }
  }

  /// Migrates.
  ///
  /// - Returns: why the database cannot be reached; nil when the schema is up to date.
  private func missingDatabase(on loop: EventLoop, _ database: PostgresConfiguration) async throws(MigrationError) -> String? {
    do {
      _ = try await Migrator.migrate(Migration.schema, on: loop, configuration: database, logger: logger)
      return nil
    } catch {
      guard case .unreachable(let reason) = error else { throw error }
      return reason
    }
  }

  private func openPools(on loops: [EventLoop], _ database: PostgresConfiguration) async -> [PostgresPool] {
    var pools: [PostgresPool] = []
    for loop in loops {
      let logger = logger
      pools.append(
        await loop.task {
          let pool = PostgresPool(loop: loop, configuration: database, logger: logger)
          pool.start()
          return pool
        }.value)
    }
    return pools
  }

  private func loadSigningKeys(_ stores: Stores, on loop: EventLoop, clock: SystemClock) async throws -> SigningKeys {
    let ring = configuration.keys
    return try await loop.task { () -> Result<SigningKeys, any Error> in
      do {
        return .success(try await SigningKeys.load(from: stores.signingKeys, ring: ring, at: clock.now))
      } catch {
        return .failure(error)
      }
    }.value.get()
  }

  /// A server that cannot open what it keeps would ask all users to connect again.
  private func requireReadableConnections(_ stores: Stores, on loop: EventLoop) async throws {
    let sealed = SealedCredentials(store: stores.sealed, keyRing: configuration.keys)
    let outcome: Result<Void, SealedCredentials.Failure> = await loop.task {
      do throws(SealedCredentials.Failure) {
        return .success(try await sealed.requireReadable())
      } catch {
        return .failure(error)
      }
    }.value
    if case .failure(let failure) = outcome { throw CommandFailure(failure.description) }
  }

  private func adminEndpoints(
    _ plane: DataPlane, _ served: ServedConfiguration, _ api: CurrentAPI, pools: [PostgresPool], feed: ChangeListener
  ) -> EndpointTable {
    var table = EndpointTable()
    table.add("/healthz", HealthEndpoint())
    table.add(ManagementAPI.path, servesBelow: true, api)
    table.add(
      "/readyz",
      ReadinessEndpoint([
        ReadinessCheck("database") {
          for pool in pools where !(await pool.loop.task({ pool.isAvailable }).value) { return false }
          return true
        },
        ReadinessCheck("revocations") { FeedFreshness(feed: feed).isFresh },
        ReadinessCheck("not stopping") { [self] in !isStopping.load(ordering: .relaxed) },
      ]))
    table.add("/metrics", MetricsEndpoint {
      let servers = await plane.upstreamServers()
      return await plane.counters().exposition(isConfigurationCurrent: served.isCurrent) + servers.exposition
    })
    return table
  }
}
