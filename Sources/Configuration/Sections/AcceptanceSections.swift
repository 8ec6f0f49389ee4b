import Broker
import Cryptography
import OAuthCore
import ReverseProxy

/// `accept` of a route: whose tokens it takes, and whether a browser session is taken in place of one.
struct Acceptance {
  enum Entry: Hashable, CustomStringConvertible {
    case tokens(TokenAcceptance)
    /// Postern's own pages' sessions.
    case session

    /// As the configuration spells it.
    var description: String {
      switch self {
      case .tokens(let acceptance): acceptance.description
      case .session: "session"
      }
    }
  }

  var tokens: [TokenAcceptance]
  var takesSessions: Bool

  static let own = Acceptance(tokens: [.own], takesSessions: false)
}

extension YAMLValue {
  var acceptance: Acceptance? {
    let entries = uniqueList { value -> Acceptance.Entry? in
      if case .scalar = value.node, value.scalar == "session" { return .session }
      return value.tokenAcceptance.map { .tokens($0) }
    }
    guard let entries else { return nil }
    guard !entries.isEmpty else { return fault("\(path) must name self, or be left out") }
    let tokens = entries.compactMap { if case .tokens(let acceptance) = $0 { acceptance } else { nil } }
    let endpoints = tokens.filter { if case .introspection = $0 { true } else { false } }
    guard endpoints.count <= 1 else {
      return fault("\(path) may name one introspection endpoint: a token is not shown to several parties")
    }
    return Acceptance(tokens: tokens, takesSessions: entries.contains(.session))
  }

  private var tokenAcceptance: TokenAcceptance? {
    if case .scalar = node {
      return scalar == "self" ? .own : fault("\(path) must be self, session, or a mapping with jwt or introspection")
    }
    return section { section in
      guard section.member("introspection") == nil else { return section.introspectionAcceptance() }
      return section.issuerAcceptance()
    }
  }

  /// Source: RFC 8414 §2: a URL without query and fragment.
  fileprivate var issuerIdentifier: String? {
    guard let text else { return nil }
    guard EndpointURL(text) != nil, !text.contains("?") else {
      return fault("\(path) must be an https URL without query and fragment (RFC 8414 §2), not \"\(text)\"")
    }
    return text
  }
}

extension Section {
  /// `{ jwt: https://idp.example, audience: gw }`
  fileprivate func issuerAcceptance() -> TokenAcceptance? {
    let identifier = required("jwt", "or introspection") { $0.issuerIdentifier }
    let audience = required("audience", "what this issuer calls Postern: a token for anybody else must not be let in") {
      $0.text
    }
    var issuer = ForeignIssuer(identifier: identifier ?? "")
    replace(&issuer.keySetURL, "jwks_uri") { $0.endpointURL }
    replace(&issuer.algorithms, "algorithms") { value in
      let algorithms = value.uniqueList { $0.choice(SignatureAlgorithm.self) }
      return algorithms?.isEmpty == true ? value.fault("\(value.path) must not be empty") : algorithms
    }
    replace(&issuer.tokenType, "type") { $0.choice(ForeignIssuer.TokenType.self) }
    replace(&issuer.clockSkew, "clock_skew") { $0.duration(in: .zero ... .seconds(300)) }
    replace(&issuer.scopeClaim, "scope_claim") { $0.text }
    development(&issuer.allowHTTP, &issuer.allowPrivateAddresses)
    if !issuer.allowHTTP {
      requireTLS("jwt", identifier.flatMap { EndpointURL($0) }, "whoever is in between could put keys of his own there")
      requireTLS("jwks_uri", issuer.keySetURL, "whoever is in between could put keys of his own there")
    }
    guard identifier != nil, let audience else { return nil }
    return .issuer(issuer, audience: audience)
  }

  /// `{ introspection: https://idp.example/introspect, client: { id: gw, secret: "${env:GW}" }, cache: 30s }`
  fileprivate func introspectionAcceptance() -> TokenAcceptance? {
    let endpoint = required("introspection") { $0.endpointURL }
    let client = required("client", "what Postern is there: { id, secret }") { $0.providerClient(keys: false) }
    let hasAudience = member("audience") != nil
    let audience = optional("audience") { $0.text }
    let issuer = optional("issuer") { $0.issuerIdentifier }
    let lifetime = optional("cache", default: Duration.seconds(30)) { $0.duration(in: .zero ... .seconds(300)) }
    let stalenessMax = optional("max_staleness", default: Duration.zero) { $0.duration(in: .zero ... .seconds(3600)) }
    var allowHTTP = false
    var allowPrivateAddresses = false
    development(&allowHTTP, &allowPrivateAddresses)
    if !allowHTTP { requireTLS("introspection", endpoint, "tokens and the client secret would travel in clear") }
    guard let endpoint, let client, let lifetime, let stalenessMax, hasAudience == (audience != nil) else { return nil }
    let service = IntrospectionService(
      endpoint: endpoint, client: client, issuer: issuer, lifetime: lifetime, stalenessMax: stalenessMax,
      allowHTTP: allowHTTP, allowPrivateAddresses: allowPrivateAddresses)
    return .introspection(service, audience: audience)
  }

  private func development(_ allowHTTP: inout Bool, _ allowPrivateAddresses: inout Bool) {
    var (http, addresses) = (allowHTTP, allowPrivateAddresses)
    nested("development") { section in
      section.replace(&http, "allow_http") { $0.boolean }
      section.replace(&addresses, "allow_private_addresses") { $0.boolean }
    }
    (allowHTTP, allowPrivateAddresses) = (http, addresses)
  }

  private func requireTLS(_ key: String, _ url: EndpointURL?, _ danger: String) {
    guard url?.scheme == .http else { return }
    member(key)?.fault("\(value.path): \(danger); use https, or development: { allow_http: true }")
  }
}

/// Sees to it that routes agree on how far they trust an issuer or an endpoint: what one of them has found out about a token
/// serves the others.
extension Array where Element == Route {
  /// - Returns: the first route of each disagreement, with a sentence.
  var trustConflicts: [(index: Int, description: String)] {
    var issuers: [String: ForeignIssuer] = [:]
    var conflicts: [(index: Int, description: String)] = []
    for (index, route) in enumerated() {
      for case .issuer(let issuer, _) in route.access.accepts {
        guard let known = issuers[issuer.identifier] else {
          issuers[issuer.identifier] = issuer
          continue
        }
        if known != issuer {
          let sentence = "\(issuer.identifier) is accepted here under other terms than above; only audience may differ"
          conflicts.append((index, sentence))
        }
      }
    }
    return conflicts
  }
}
