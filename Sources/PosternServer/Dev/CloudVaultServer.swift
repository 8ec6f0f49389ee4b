import Broker
import CloudVaultDemo
import Configuration
import Cryptography
import EventLoop
import GatewayServer
import OAuthCore

/// The demo upstream on an address of its own; in `postern dev` with the demo client beside it.
struct CloudVaultServer {
  private let plane: DataPlane

  /// - Parameters:
  ///   - secret: what Postern authenticates with at CloudVault's token endpoint, as client `postern`.
  ///   - users: nil: nobody connects an account there.
  static func start(
    on address: ListenAddress, secret: Secret, users: CloudVault.Users? = nil, printMyPics: PrintMyPics? = nil, group: EventLoopGroup
  ) async throws -> CloudVaultServer {
    let vault = CloudVault(client: ClientID("postern"), secret: secret, users: users, clock: SystemClock(), random: SystemRandom())
    var endpoints = vault.endpoints
    printMyPics?.add(to: &endpoints)
    let plane = await DataPlane(
      group: group, endpoints: EndpointTable(),
      ports: Engine.Ports(verifier: NoTokens(), freshness: AlwaysFresh(), credentials: NoCredentials()))
    try await plane.listen(on: address, serving: .endpoints(endpoints))
    return CloudVaultServer(plane: plane)
  }

  func stop() async { await plane.drain(within: .seconds(1)) }
}

/// CloudVault is no gateway: nothing is verified and nothing injected.
private struct NoTokens: TokenVerifier {
  func verify(_ token: [UInt8]) async throws(StoreFailure) -> TokenFacts? { nil }
  func confirm(_ facts: TokenFacts) async throws(StoreFailure) -> TokenFacts? { nil }
}

private struct NoCredentials: CredentialSource {
  func credential(for provider: ProviderID, refused generation: Int64?) async throws(BrokerFailure) -> LiveCredential {
    throw .unknownProvider
  }
}
