import Broker
import Cryptography
import OAuthCore
import PosternTesting
import Synchronization

/// One Postern process as far as the broker is concerned.
struct Instance {
  let credentials: LiveCredentials
  let provider: ScriptedProvider
  let events: EventRecorder

  init(
    _ providers: [Provider] = [.cloudVault()], store: any ConnectionStore, provider: ScriptedProvider, time: ManualTime,
    keyRing: KeyRing = .test
  ) {
    self.provider = provider
    events = EventRecorder()
    credentials = LiveCredentials(
      providers: providers, store: store, transport: provider, keyRing: keyRing, clock: time, random: FixedRandom(),
      sleeper: time, executor: nil, observer: events)
  }

  func token(_ id: ProviderID = "cloudvault") async throws(BrokerFailure) -> String {
    try await credentials.credential(for: id).fieldValue.exposedText
  }

  func failure(_ id: ProviderID = "cloudvault") async -> BrokerFailure? {
    do throws(BrokerFailure) {
      _ = try await credentials.credential(for: id)
      return nil
    } catch {
      return error
    }
  }
}

final class EventRecorder: BrokerObserver {
  private let recorded = Mutex<[BrokerEvent]>([])
  var events: [BrokerEvent] { recorded.withLock { $0 } }
  func observe(_ event: BrokerEvent, of connection: ConnectionKey) { recorded.withLock { $0.append(event) } }
}

/// No jitter.
struct FixedRandom: RandomSource {
  func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
  func words() -> (UInt64, UInt64) { (0, 0) }
}

extension KeyRing {
  static let test = try! KeyRing(active: "k1", keys: [("k1", Secret(bytes: Array(0..<32)))])
}

extension ProviderID: ExpressibleByStringLiteral {
  public init(stringLiteral value: String) { self.init(value) }
}

extension Provider {
  static func cloudVault(
    _ id: ProviderID = "cloudvault", secret: String = "s3cret", authentication: ProviderClient.Authentication = .basic,
    scopes: [String] = ["read_photos"]
  ) -> Provider {
    Provider(
      id: id, tokenEndpoint: EndpointURL("https://cloudvault.example/token")!,
      client: ProviderClient(id: "postern", secret: Secret(secret), authentication: authentication), scopes: scopes,
      allowedHosts: ["api.cloudvault.example"])
  }
}

extension InMemoryConnectionStore {
  /// The row of Postern's own credential.
  func row(_ provider: ProviderID) -> Row? { self[ConnectionKey(provider: provider, owner: .service)] }

  func setCredential(_ credential: StoredCredential, of provider: ProviderID) {
    self[ConnectionKey(provider: provider, owner: .service)] = Row(
      state: .active, generation: credential.generation, credential: credential)
  }

  func extendLease(of provider: ProviderID, to end: Timestamp) {
    self[ConnectionKey(provider: provider, owner: .service)]?.leaseEndsAt = end
  }
}
