import Broker
import Configuration
import EventLoop
import GatewayServer
import Logging
import OAuthCore
import PostgresStore
import ReverseProxy
import Synchronization

/// What this process serves, and the one place where that changes: when somebody asks, when the file has changed, when
/// an upstream has moved. Every loop takes the whole change in one step; requests under way end as they began.
///
/// A file with mistakes changes nothing, and neither does the part of a good one that only a restart can take.
final class ServedConfiguration: @unchecked Sendable {
  // SAFETY: the stored state is touched on `loop` only: by `start`, and by the one task that handles occasions.

  /// How often the file is looked at.
  static let interval: Duration = .seconds(2)
  /// Occasions that may wait; they are the same ones again and again.
  private static let waitingCountMax = 64

  /// Everything that a change reaches.
  struct Reach: Sendable {
    let services: TokenServices
    let credentials: LiveCredentials
    let foreign: ForeignSources
    let dataPlane: DataPlane
    let changes: ChangeRelay
    let janitor: Janitor
    let api: CurrentAPI
    let webhooks: WebhookDispatcher
  }

  private enum Occasion: Sendable {
    case asked
    case look
    case lookAtCertificates
    case resolved([Origin: [SocketAddress]])
  }

  private let loop: EventLoop
  private let file: ConfigurationFile
  private let grants: [any GrantHandler]
  private let files: TLSFiles
  private let reach: Reach
  private let workers: WorkerPool
  private let upstreamAddresses: UpstreamAddresses
  private let logger = Logger(label: "configuration")
  private let readsWell = Atomic(true)
  private let occasions: AsyncStream<Occasion>
  private let occasion: AsyncStream<Occasion>.Continuation

  private var configuration: Configuration
  private var version: ConfigurationFile.Version?
  private var tokenPlane: TokenPlane
  private var addresses: [Origin: [SocketAddress]] = [:]
  /// What the `https` servers of upstreams are verified with.
  private var contexts: [String: TLSClientContext]
  private var tasks: [Task<Void, Never>] = []

  /// - Parameters:
  ///   - version: of the file when `configuration` was read.
  ///   - workers: for the file; name servers that hang have `resolvers` to themselves.
  init(
    _ configuration: Configuration, from file: ConfigurationFile, version: ConfigurationFile.Version?,
    tokenPlane: TokenPlane, grants: [any GrantHandler], files: TLSFiles, reach: Reach, loop: EventLoop,
    workers: WorkerPool, resolvers: WorkerPool
  ) {
    self.configuration = configuration
    self.file = file
    self.version = version
    self.grants = grants
    self.files = files
    contexts = files.contexts(of: configuration.upstreams)
    self.reach = reach
    self.loop = loop
    self.workers = workers
    self.tokenPlane = tokenPlane
    upstreamAddresses = UpstreamAddresses(workers: resolvers)
    (occasions, occasion) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingCountMax))
  }

  /// Serves the configuration and goes on watching; on return every loop serves it.
  func start() async {
    loop.assertInLoop()
    addresses = await upstreamAddresses.resolve(configuration.upstreams)
    await publish(ending: [])
    tasks = [
      loop.task { [self] in for await occasion in occasions { await handle(occasion) } },
      loop.task { [self] in
        while !Task.isCancelled {
          await loop.sleep(for: Self.interval)
          occasion.yield(.look)
        }
      },
      loop.task { [self] in
        while !Task.isCancelled {
          await loop.sleep(for: TLSFiles.interval)
          occasion.yield(.lookAtCertificates)
        }
      },
      loop.task { [self] in
        while !Task.isCancelled {
          let isUrgent = addresses.values.contains(where: \.isEmpty)
          await loop.sleep(for: isUrgent ? UpstreamAddresses.urgentInterval : UpstreamAddresses.interval)
          occasion.yield(.resolved(await upstreamAddresses.resolve(configuration.upstreams)))
        }
      },
    ]
  }

  /// Reads the file again, changed or not: secrets that it refers to may have. May be called from any thread.
  func reload() { occasion.yield(.asked) }

  /// Whether the file, as it was read last, is what is served, without a rest that waits for a restart. May be asked from any thread.
  var isCurrent: Bool { readsWell.load(ordering: .relaxed) }

  /// How to take leave, as the file says now.
  var shutdown: ShutdownSettings {
    loop.assertInLoop()
    return configuration.shutdown
  }

  func stop() {
    loop.assertInLoop()
    occasion.finish()
    for task in tasks { task.cancel() }
  }

  // MARK: Occasions, one after the other

  private func handle(_ occasion: Occasion) async {
    switch occasion {
    case .asked:
      await readAgain()
      await lookAtCertificates()
    case .lookAtCertificates: await lookAtCertificates()
    case .look:
      // A file that is gone for the moment is being replaced.
      guard let found = try? await workers.run({ [file] in file.version }), found != version else { return }
      await readAgain()
    case .resolved(let found):
      // A name server that does not answer is no reason to forget an address.
      let known = addresses.merging(found) { $1.isEmpty ? $0 : $1 }
      guard known != addresses else { return }
      addresses = known
      await publish(ending: [])
    }
  }

  private func lookAtCertificates() async {
    let hasNewAuthorities = try? await workers.run { [files, logger] in files.refresh(logger: logger) }
    guard hasNewAuthorities == true else { return }
    contexts = files.contexts(of: configuration.upstreams)
    await publish(ending: [])
  }

  private func readAgain() async {
    let read = try? await workers.run { [file] () -> (ConfigurationFile.Version?, Result<Configuration, ConfigurationErrors>) in
      // The version first: what is written while the file is read makes another one.
      let version = file.version
      return (version, Result { () throws(ConfigurationErrors) in try file.load() })
    }
    guard let (found, result) = read else {
      return logger.warning("too busy to read the configuration; send SIGHUP again")
    }
    version = found
    switch result {
    case .success(let new): await take(new)
    case .failure(let faults):
      for fault in faults.errors { logger.error("\(fault)") }
      refuse("the configuration is not good; the one before serves on", ["mistakes": "\(faults.errors.count)"])
    }
  }

  private func refuse(_ reason: String, _ metadata: Logger.Metadata = [:]) {
    readsWell.store(false, ordering: .relaxed)
    logger.error("\(reason)", metadata: metadata)
  }

  private func take(_ new: Configuration) async {
    let change = ConfigurationChange(from: configuration, to: new)
    let next = change.configuration
    let authorities = try? await workers.run { [files] in
      Result { () throws(TLSFailure) in try files.prepare(for: next.upstreams) }
    }
    guard let authorities else { return refuse("too busy to read authorities; send SIGHUP again") }
    if case .failure(let failure) = authorities { return refuse("\(failure); the configuration before serves on") }
    do {
      tokenPlane = try TokenPlane(next, grants: grants, services: reach.services)
    } catch {
      return refuse("the grants make no registry; the configuration before serves on: \(error)")
    }
    let unknown = next.upstreams.filter { $0.servers.contains { addresses[$0] == nil } }
    let found = await upstreamAddresses.resolve(unknown)
    let origins = Set(next.upstreams.flatMap(\.servers))
    addresses = addresses.filter { origins.contains($0.key) }.merging(found) { $1.isEmpty ? $0 : $1 }
    contexts = files.contexts(of: next.upstreams)
    configuration = next

    // Whoever is asked again by a loop that forgot must know already.
    reach.services.clients.replaceConfigured(next.clients)
    reach.credentials.reconfigure(next.providers)
    reach.janitor.keep(Retention(next))
    reach.api.replace(tokenPlane.api)
    reach.webhooks.reconfigure(next.webhooks)
    await publish(ending: change.changes)
    reach.foreign.keep(only: next.routes.routes)
    reach.changes.apply(change.changes)
    signOut(change.signedOutAccounts)
    end(change.endedAccounts)

    if !change.needsRestart.isEmpty {
      logger.warning(
        "a restart is needed to change \(change.needsRestart.joined(separator: ", ")); as long they stay as they were")
    }
    readsWell.store(change.needsRestart.isEmpty, ordering: .relaxed)
    logger.notice(
      "serving the configuration as it is now",
      metadata: ["routes": "\(next.routes.routes.count)", "clients": "\(next.clients.count)"])
  }

  private func publish(ending changes: [Change]) async {
    await reach.dataPlane.apply(
      GatewaySnapshot(
        routes: configuration.routes, upstreams: configuration.upstreams, addresses: addresses, tls: contexts,
        endpoints: tokenPlane.endpoints, limits: configuration.limits, trustedProxies: configuration.trustedProxies,
        sessions: tokenPlane.sessions),
      ending: changes)
  }

  // MARK: Accounts that are gone or have another password

  /// Before the next try, when the database does not answer.
  private static let pause: Duration = .seconds(1)
  /// Codes that were issued before live for at most a minute; clocks may differ a little.
  private static let codesAreGone: Duration = .seconds(65)

  /// Ends what accounts have begun, and once more when no code from before can be redeemed any longer.
  private func end(_ accounts: [Subject]) {
    guard !accounts.isEmpty else { return }
    loop.task { [self] in
      await endNow(accounts)
      await loop.sleep(for: Self.codesAreGone)
      // An account that was put back meanwhile keeps what it has begun since.
      let present = Set(configuration.accounts.map(\.subject))
      await endNow(accounts.filter { !present.contains($0) })
    }
  }

  private func endNow(_ accounts: [Subject]) async {
    for account in accounts {
      await untilDone { [reach] () throws(StoreFailure) in
        try await reach.services.stores.accounts.end(account, at: reach.services.clock.now)
      }
    }
  }

  private func signOut(_ accounts: [Subject]) {
    guard !accounts.isEmpty else { return }
    loop.task { [self] in
      for account in accounts {
        await untilDone { [reach] () throws(StoreFailure) in try await reach.services.stores.accounts.signOut(account) }
      }
    }
  }

  private func untilDone(_ step: () async throws(StoreFailure) -> Void) async {
    while true {
      do throws(StoreFailure) { return try await step() } catch { await loop.sleep(for: Self.pause) }
    }
  }
}
