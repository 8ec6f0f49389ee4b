import Broker
import Cryptography
import JSON
import OAuthCore

extension IntrospectionService {
  /// For one question. Also the longest that a request waits for a stranger.
  static let deadline = Duration.seconds(5)
  /// A larger answer is none.
  static let answerByteCountMax = 64 << 10
  /// Life of a token whose answer names no end; the endpoint is asked again long before.
  static let lifetimeWhenUnnamed = Duration.seconds(3600)

  /// The question. Source: RFC 7662 §2.1.
  public func request(about token: [UInt8]) -> ProviderRequest {
    var request = client.authenticatedRequest(
      to: endpoint, [("token", String(decoding: token, as: UTF8.self)), ("token_type_hint", "access_token")],
      deadline: Self.deadline)
    request.allowHTTP = allowHTTP
    request.allowPrivateAddresses = allowPrivateAddresses
    request.bodyByteCountMax = Self.answerByteCountMax
    return request
  }

  /// What an answer says.
  public enum Verdict: Sendable {
    case active(VouchedToken)
    case refused(ForeignRefusal)
    /// The endpoint failed, or does not know us: nothing was said of the token.
    case noAnswer(String)
  }

  /// Reads an answer. Source: RFC 7662 §2.2, §2.3.
  ///
  /// - Parameters:
  ///   - digest: of the token's text.
  ///   - askedAt: what is said was true then at the earliest, so its life is counted from there.
  public func verdict(_ response: ProviderResponse, digest: Digest256, askedAt: Timestamp) -> Verdict {
    guard response.status == 200 else { return .noAnswer("status \(response.status)") }
    guard let members = try? JSON(parsing: response.body.exposedBytes).object, let isActive = members["active"]?.bool else {
      return .noAnswer("no JSON object with a member \"active\"")
    }
    guard isActive else { return .refused(.inactive) }
    do throws(ForeignRefusal) {
      return .active(try vouched(ForeignClaims(members: members), digest: digest, askedAt: askedAt))
    } catch {
      return .refused(error)
    }
  }

  private func vouched(
    _ claims: ForeignClaims, digest: Digest256, askedAt: Timestamp
  ) throws(ForeignRefusal) -> VouchedToken {
    if let named = claims.members["iss"], named != .null {
      guard let name = named.string else { throw .malformed("iss") }
      if let issuer, !name.utf8.elementsEqual(issuer.utf8) { throw .wrongIssuer }
    }
    // RFC 9449 §6.2: the endpoint tells of a token's binding by its type, too.
    if let type = claims.members["token_type"]?.string?.lowercased(), type == "dpop" { throw .senderConstrained }
    let source = TokenSource.introspection(self)
    let authorization = try claims.authorization(in: issuer ?? endpoint.description, scopeClaim: nil)
    let expiresAt = try claims.expiry(leeway: .zero) ?? askedAt + Self.lifetimeWhenUnnamed
    guard askedAt < expiresAt else { throw .expired }
    // The endpoint has looked at its own clock; ours may be a little behind.
    try claims.requireBegun(at: askedAt, leeway: .seconds(30))
    let facts = TokenFacts(
      foreign: authorization, digest: digest, issuedAt: try claims.issuedAt() ?? askedAt, expiresAt: expiresAt)
    return VouchedToken(facts, from: source, believedUntil: min(askedAt + lifetime, expiresAt))
  }
}
