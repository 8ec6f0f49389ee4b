import OAuthCore

extension Engine {
  /// What a listener serves.
  public enum Service: Sendable {
    /// Postern's endpoints on their reserved paths, routes on all others.
    case gateway
    /// These endpoints only: the admin listener.
    case endpoints(EndpointTable)
  }

  /// What the engine needs from the rest of the program.
  public struct Ports: Sendable {
    public var verifier: any TokenVerifier
    public var freshness: any Freshness
    public var credentials: any CredentialSource
    public var connections: any ConnectionSource
    /// nil: no route takes tokens of others.
    public var foreign: ForeignSources?
    /// nil: no route tells its upstream who asks.
    public var assertions: IdentityAssertions?

    public init(
      verifier: any TokenVerifier, freshness: any Freshness, credentials: any CredentialSource,
      connections: any ConnectionSource = NoConnections(), foreign: ForeignSources? = nil,
      assertions: IdentityAssertions? = nil
    ) {
      self.verifier = verifier
      self.freshness = freshness
      self.credentials = credentials
      self.connections = connections
      self.foreign = foreign
      self.assertions = assertions
    }
  }
}
