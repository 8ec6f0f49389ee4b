import Cryptography
import OAuthCore

/// Whom a presented token is shown to: one party at most, found out from the token's form before anybody is asked.
///
/// 1. A handle of Postern's (`pat_…`) and a JWT that names Postern as its issuer are Postern's, and never leave it.
/// 2. A JWT that names an issuer which any route takes is judged by that issuer's keys alone, here.
/// 3. Everything else is asked about at the one introspection endpoint of the route, if it has one.
public struct TokenDispatch: Sendable, Hashable {
  /// Postern's issuer identifier.
  public var ownIssuer: String
  /// Of all routes: their tokens are not shown to others, whatever the route.
  public var foreignIssuers: Set<String>

  public init(ownIssuer: String, foreignIssuers: Set<String> = []) {
    self.ownIssuer = ownIssuer
    self.foreignIssuers = foreignIssuers
  }

  public init(ownIssuer: String, routes: [Route]) {
    self.init(
      ownIssuer: ownIssuer,
      foreignIssuers: Set(
        routes.flatMap(\.access.accepts).compactMap { acceptance in
          if case .issuer(let issuer, _) = acceptance { issuer.identifier } else { nil }
        }))
  }

  public enum Destination: Sendable {
    case own
    case issuer(ForeignIssuer, UnverifiedJWT)
    case introspection(IntrospectionService)
    /// The route takes no such token.
    case nobody(ForeignRefusal)
  }

  public func destination(of token: [UInt8], on access: AccessPolicy) -> Destination {
    guard access.takesForeignTokens else { return .own }
    if Self.isHandle(token) { return access.accepts.contains(.own) ? .own : .nobody(.sourceNotAccepted("self")) }
    guard UnverifiedJWT.isMeant(by: token) else { return asked(on: access, about: "an opaque token") }
    let jwt: UnverifiedJWT
    do { jwt = try UnverifiedJWT(token) } catch { return .nobody(.signature(error)) }
    guard let issuer = jwt.issuer else { return asked(on: access, about: "a JWT that names no issuer") }
    if issuer == ownIssuer { return access.accepts.contains(.own) ? .own : .nobody(.sourceNotAccepted("self")) }
    for case .issuer(let accepted, _) in access.accepts where accepted.identifier == issuer { return .issuer(accepted, jwt) }
    if foreignIssuers.contains(issuer) { return .nobody(.sourceNotAccepted("jwt \(issuer)")) }
    return asked(on: access, about: "a JWT of another issuer")
  }

  private func asked(on access: AccessPolicy, about kind: String) -> Destination {
    for case .introspection(let service, _) in access.accepts { return .introspection(service) }
    return .nobody(.sourceNotAccepted(kind))
  }

  /// Whatever begins like a handle of ours is not shown around, forged or not.
  private static func isHandle(_ token: [UInt8]) -> Bool {
    HandleKind.allCases.contains { token.starts(with: "\($0.rawValue)_".utf8) }
  }
}
