import Broker
import Cryptography
import OAuthCore
import ReverseProxy

/// The keys of one foreign issuer, for the whole process, and the judgement of tokens by them.
///
/// While there are keys, tokens are judged at once on the loop that asks; only a fetch is waited for.
public final class IssuerKeys: Sendable {
  /// How a judgement without waiting ends.
  enum Judgement: Sendable {
    case vouched(VouchedToken)
    case refused(ForeignRefusal)
    /// No keys can be had, or none that could tell.
    case unavailable
    /// A fetch is under way.
    case wait
  }

  let issuer: ForeignIssuer
  private let keys: SharedDocument<VerificationKeySet>
  private let clock: any WallClock

  init(
    _ issuer: ForeignIssuer, transport: any ProviderTransport, clock: any WallClock, executor: (any TaskExecutor)?,
    changes: any ChangeObserver, report: @escaping ForeignSources.Report
  ) {
    self.issuer = issuer
    self.clock = clock
    let documents = IssuerDocuments(
      IssuerDocuments.Issuer(
        identifier: issuer.identifier, keySetURL: issuer.keySetURL, allowHTTP: issuer.allowHTTP,
        allowPrivateAddresses: issuer.allowPrivateAddresses),
      transport: transport, clock: clock)
    keys = SharedDocument(
      clock: clock, executor: executor,
      fetch: { () async throws(IssuerDocuments.Failure) in try await documents.keys() },
      ended: { ending in
        switch ending {
        case .fetched(let new, let old):
          let gone = new.withdrawn(from: old)
          // What a withdrawn key vouched for is forgotten on every loop.
          if !gone.isEmpty { changes.apply(gone.map { .foreignKeyWithdrawn(issuer: issuer.identifier, key: $0) }) }
          report(.keysFetched(issuer: issuer.identifier, withdrawn: gone.count))
        case .failed(let failure): report(.keysUnavailable(issuer: issuer.identifier, reason: "\(failure)"))
        }
      })
  }

  /// Judges a token by the keys that are known, and begins a fetch when it is time for one.
  func judge(_ token: UnverifiedJWT, _ digest: Digest256) -> Judgement {
    let now = clock.now
    switch keys.ask() {
    case .unavailable: return .unavailable
    case .wait: return .wait
    case .use(let fetched):
      do {
        return .vouched(try issuer.judge(token, digest: digest, with: fetched, at: now))
      } catch .signature(.unknownKey) {
        guard keys.askForUnknownKey() == nil else { return .wait }
        return keys.isFailing ? .unavailable : .refused(.unknownKey)
      } catch {
        return .refused(error)
      }
    }
  }

  /// Fetches that one token may wait for: its issuer's keys, then a key that they lack.
  private static let waitCountMax = 3

  /// Judges a token, waiting for keys where they have to be fetched.
  ///
  /// - Returns: nil when the token is refused.
  func verify(_ token: UnverifiedJWT, _ digest: Digest256) async throws(StoreFailure) -> VouchedToken? {
    switch await judgement(of: token, digest) {
    case .vouched(let vouched): return vouched
    case .refused: return nil
    case .unavailable, .wait: throw .unavailable
    }
  }

  func judgement(of token: UnverifiedJWT, _ digest: Digest256) async -> Judgement {
    for _ in 0..<Self.waitCountMax {
      let judgement = judge(token, digest)
      guard case .wait = judgement else { return judgement }
      await keys.fetchEnded()
    }
    return .unavailable
  }
}
