import Broker
import Cryptography
import OAuthCore
import ReverseProxy
import Synchronization

/// Fetches the keys that an issuer publishes, and finds out before where they are. One fetch at a time.
final class KeySetFetcher: Sendable {
  enum Failure: Error, Sendable, CustomStringConvertible {
    case transport(TransportFailure, EndpointURL)
    case status(Int, EndpointURL)
    case metadata(IssuerMetadata.Failure, EndpointURL)
    case keySet(JWKError, EndpointURL)

    var description: String {
      switch self {
      case .transport(let failure, let url): "\(url.origin) does not answer: \(failure)"
      case .status(let status, let url): "\(url) answers with status \(status)"
      case .metadata(let failure, let url): "\(url): \(failure)"
      case .keySet(let failure, let url): "\(url): \(failure)"
      }
    }
  }

  /// For each of the documents.
  private static let deadline = Duration.seconds(5)
  private static let metadataByteCountMax = 256 << 10
  /// Enough for `JWKSet.keyCountMax` keys with their certificates.
  private static let keySetByteCountMax = 1 << 20

  private let issuer: ForeignIssuer
  private let transport: any ProviderTransport
  /// Where the keys were the last time; forgotten when they are there no longer.
  private let knownURL: Mutex<EndpointURL?>

  init(issuer: ForeignIssuer, transport: any ProviderTransport) {
    self.issuer = issuer
    self.transport = transport
    knownURL = Mutex(issuer.keySetURL)
  }

  /// - Parameter clock: asked when the keys have come.
  func fetch(at clock: () -> Timestamp) async throws(Failure) -> FetchedKeys {
    let known = knownURL.withLock { $0 }
    let url: EndpointURL
    if let known { url = known } else { url = try await discover() }
    do throws(Failure) {
      let response = try await get(url, byteCountMax: Self.keySetByteCountMax)
      guard response.status == 200 else { throw .status(response.status, url) }
      let set: JWKSet
      do { set = try JWKSet(parsing: response.body.exposedBytes) } catch { throw .keySet(error, url) }
      knownURL.withLock { $0 = url }
      return FetchedKeys(VerificationKeySet(set), at: clock(), cacheControl: response.cacheControl)
    } catch {
      knownURL.withLock { $0 = issuer.keySetURL }
      throw error
    }
  }

  /// The first location that has a document decides: one that speaks for somebody else is a failure, not a reason to look
  /// elsewhere.
  private func discover() async throws(Failure) -> EndpointURL {
    var failure: Failure?
    for url in IssuerMetadata.locations(of: issuer.identifier) {
      let response = try await get(url, byteCountMax: Self.metadataByteCountMax)
      guard response.status == 200 else {
        failure = .status(response.status, url)
        // Whatever it is that is wrong there, it is not that the document is elsewhere.
        guard (400...499).contains(response.status), response.status != 429 else { break }
        continue
      }
      do throws(IssuerMetadata.Failure) {
        return try IssuerMetadata(
          parsing: response.body.exposedBytes, of: issuer.identifier, allowHTTP: issuer.allowHTTP
        ).keySetURL
      } catch {
        throw .metadata(error, url)
      }
    }
    guard let failure else { preconditionFailure("a configured issuer is a URL") }
    throw failure
  }

  private func get(_ url: EndpointURL, byteCountMax: Int) async throws(Failure) -> ProviderResponse {
    do {
      return try await transport.send(
        ProviderRequest(
          url: url, authorization: nil, form: nil, allowHTTP: issuer.allowHTTP,
          allowPrivateAddresses: issuer.allowPrivateAddresses, deadline: Self.deadline, bodyByteCountMax: byteCountMax))
    } catch {
      throw .transport(error, url)
    }
  }
}
