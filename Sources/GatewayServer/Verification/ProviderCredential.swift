import Broker
import EventLoop
import OAuthCore

/// Where routes get the credentials that Postern obtains from providers.
public protocol CredentialSource: Sendable {
  /// A credential that may be sent now, obtained if need be.
  ///
  /// - Parameter generation: what the upstream has refused: a later one is wanted, and comes unless there is none.
  func credential(for provider: ProviderID, refused generation: Int64?) async throws(BrokerFailure) -> LiveCredential
}

extension LiveCredentials: CredentialSource {
  public func credential(
    for provider: ProviderID, refused generation: Int64?
  ) async throws(BrokerFailure) -> LiveCredential {
    try await credential(for: provider, of: .service, replacing: generation, isRefused: generation != nil)
  }
}

/// One provider's credential as one loop holds it: the finished field line, and who waits for one.
///
/// While a line is live it is served; a successor is fetched in the background from `renewAt` on, one fetch at a time.
final class ProviderCredential: @unchecked Sendable {
  // SAFETY: confined to its loop; every entry asserts it with `loop.assertInLoop()`.

  /// - Parameter failure: nil when a line can be had now.
  typealias Waiter = (_ failure: BrokerFailure?) -> Void

  /// Between two fetches that brought nothing new.
  private static let pause = Duration.seconds(1)

  let provider: ProviderID
  private let source: any CredentialSource
  private let loop: EventLoop
  private var line: [UInt8] = []
  /// Of the line.
  private(set) var generation = Int64.min
  private var expiresAt = Timestamp(microseconds: .min)
  private var renewAt = Timestamp(microseconds: .min)
  private var heedsRefusalFrom = Timestamp(microseconds: .min)
  /// What an upstream has refused and the next fetch is to replace.
  private var refused: Int64?
  private var isFetching = false
  /// What the fetch under way is to replace.
  private var replaced: Int64?
  private var waiters: [Waiter] = []
  /// Counts invalidations: what was fetched before one is not kept.
  private var epoch = 0

  init(_ provider: ProviderID, source: any CredentialSource, loop: EventLoop) {
    self.provider = provider
    self.source = source
    self.loop = loop
  }

  /// `Authorization: …` with its line end; nil when a fetch has to be waited for.
  @inline(__always)
  func currentLine(at now: Timestamp) -> [UInt8]? {
    guard now < expiresAt else { return nil }
    if now >= renewAt, !isFetching { renew(at: now) }
    return line
  }

  func wait(_ waiter: @escaping Waiter) {
    loop.assertInLoop()
    waiters.append(waiter)
    if !isFetching { fetch() }
  }

  /// What becomes of a refused credential.
  enum Succession {
    /// The current line is a later one.
    case here
    /// One is fetched: `wait` for it.
    case coming
    /// None, since a successor was refused a moment ago.
    case none
  }

  /// An upstream has refused the credential: a successor is fetched unless there is one, or it would fare no better.
  ///
  /// - Parameter generation: of what it has refused.
  func replace(_ generation: Int64, at now: Timestamp) -> Succession {
    loop.assertInLoop()
    if self.generation > generation, now < expiresAt { return .here }
    guard self.generation != generation || now >= heedsRefusalFrom else { return .none }
    if !isFetching {
      refused = generation
      fetch()
    } else if generation > replaced ?? .min {
      refused = max(generation, refused ?? .min)
    }
    return .coming
  }

  /// The credential was replaced: the next request gets the new one.
  func invalidate() {
    epoch += 1
    expiresAt = Timestamp(microseconds: .min)
  }

  private func renew(at now: Timestamp) {
    renewAt = now + ProviderCredential.pause
    fetch()
  }

  private func fetch() {
    isFetching = true
    let (epoch, wanted) = (epoch, refused)
    replaced = refused
    refused = nil
    loop.task { [self] in
      do throws(BrokerFailure) {
        let credential = try await source.credential(for: provider, refused: wanted)
        finish(credential, epoch: epoch)
      } catch {
        finish(failure: error)
      }
    }
  }

  private func finish(_ credential: LiveCredential, epoch: Int) {
    loop.assertInLoop()
    // Changed, or refused by an upstream, since it was asked for. What was refused before still is.
    guard epoch == self.epoch, credential.generation > refused ?? .min else {
      refused = [refused, replaced].compactMap { $0 }.max()
      fetch()
      return
    }
    refused = nil
    isFetching = false
    generation = credential.generation
    heedsRefusalFrom = credential.heedsRefusalFrom
    line = Array("Authorization: ".utf8) + credential.fieldValue.exposedBytes + Array("\r\n".utf8)
    expiresAt = credential.expiresAt
    renewAt = max(credential.renewAt, renewAt)
    resume(failure: nil)
  }

  private func finish(failure: BrokerFailure) {
    loop.assertInLoop()
    isFetching = false
    refused = nil
    resume(failure: failure)
  }

  private func resume(failure: BrokerFailure?) {
    let waiting = waiters
    waiters = []
    for waiter in waiting { waiter(failure) }
  }
}
