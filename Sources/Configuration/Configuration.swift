import Broker
import Cryptography
import NetworkAddress
import OAuthCore
import ReverseProxy

/// The whole configuration of one instance: immutable, checked, with every reference resolved and every secret read.
public struct Configuration: Sendable {
  /// The issuer identifier; an origin, so its text has no path. Source: RFC 8414 §2.
  public var issuer: Origin
  /// At least one.
  public var listeners: [ListenerSettings]
  /// Health, metrics and the admin API; nil: not served.
  public var admin: ListenAddress?
  /// libpq URI or keyword string; may hold a password.
  public var database: Secret
  public var keys: KeyRing
  /// Whose `X-Forwarded-*` are believed.
  public var trustedProxies: [AddressBlock]
  public var limits: Limits
  public var shutdown: ShutdownSettings
  public var tokens: TokenSettings
  /// In the order of the file, which is the order of the consent page.
  public var scopes: [ScopeDescription]
  /// What is switched on of the grants the executable registers.
  public var grants: [GrantType]
  public var clients: [Client]
  public var accounts: [Account]
  public var providers: [Provider]
  /// Where browsers that followed a connect ticket may be sent afterwards.
  public var connectReturnURIs: [String]
  public var webhooks: [WebhookEndpoint]
  public var upstreams: [Upstream]
  public var routes: RouteTable

  /// Reads, checks and resolves a configuration file.
  ///
  /// - Parameters:
  ///   - path: of the YAML file; also its name in faults.
  ///   - environment: for `${env:NAME}`.
  ///   - readFile: for the file itself and for `${file:/path}`; the whole content.
  ///   - registeredGrants: what the executable can serve; the `grants` of the file choose among them.
  /// - Throws: every fault that was found, not only the first.
  public static func load(
    path: String, environment: [String: String], readFile: @escaping (_ path: String) throws -> [UInt8],
    registeredGrants: [GrantType] = [.authorizationCode, .clientCredentials, .refreshToken]
  ) throws(ConfigurationErrors) -> Configuration {
    let faults = FaultList(file: path)
    let secrets = SecretSource(environment: environment, readFile: readFile)
    let context = ReadingContext(faults: faults, secrets: secrets)
    let configuration = context.document(at: path)
      .flatMap { ConfigurationReader(registeredGrants: registeredGrants).read($0) }
    if let errors = faults.all { throw errors }
    guard let configuration else { preconditionFailure("a reader returned nothing and told no fault") }
    return configuration
  }
}
