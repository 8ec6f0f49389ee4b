import Cryptography
import OAuthCore
import Synchronization

/// Fetches what one issuer publishes: its metadata, and the keys, which the metadata finds. One fetch of keys at a time.
public final class IssuerDocuments: Sendable {
  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    case transport(TransportFailure, EndpointURL)
    case status(Int, EndpointURL)
    case metadata(IssuerMetadata.Failure, EndpointURL)
    case keySet(JWKError, EndpointURL)

    public var description: String {
      switch self {
      case .transport(let failure, let url): "\(url.origin) does not answer: \(failure)"
      case .status(let status, let url): "\(url) answers with status \(status)"
      case .metadata(let failure, let url): "\(url): \(failure)"
      case .keySet(let failure, let url): "\(url): \(failure)"
      }
    }
  }

  /// Whose documents, and how they may be reached.
  public struct Issuer: Sendable, Hashable {
    /// Compared with the documents byte for byte. Source: RFC 8414 §3.3.
    public var identifier: String
    /// nil: the metadata tells.
    public var keySetURL: EndpointURL?
    public var allowHTTP: Bool
    public var allowPrivateAddresses: Bool

    public init(identifier: String, keySetURL: EndpointURL?, allowHTTP: Bool, allowPrivateAddresses: Bool) {
      self.identifier = identifier
      self.keySetURL = keySetURL
      self.allowHTTP = allowHTTP
      self.allowPrivateAddresses = allowPrivateAddresses
    }
  }

  /// For each of the documents.
  static let deadline = Duration.seconds(5)
  private static let metadataByteCountMax = 256 << 10
  /// Enough for `JWKSet.keyCountMax` keys with their certificates.
  private static let keySetByteCountMax = 1 << 20

  private let issuer: Issuer
  private let transport: any ProviderTransport
  private let clock: any WallClock
  /// Where the keys were the last time; forgotten when they are there no longer.
  private let knownURL: Mutex<EndpointURL?>

  public init(_ issuer: Issuer, transport: any ProviderTransport, clock: any WallClock) {
    self.issuer = issuer
    self.transport = transport
    self.clock = clock
    knownURL = Mutex(issuer.keySetURL)
  }

  public func keys() async throws(Failure) -> Fetched<VerificationKeySet> {
    let known = knownURL.withLock { $0 }
    let url: EndpointURL
    if let known { url = known } else { url = try await findKeys() }
    do throws(Failure) {
      let response = try await get(url, byteCountMax: Self.keySetByteCountMax)
      guard response.status == 200 else { throw .status(response.status, url) }
      let set: JWKSet
      do { set = try JWKSet(parsing: response.body.exposedBytes) } catch { throw .keySet(error, url) }
      knownURL.withLock { $0 = url }
      return Fetched(VerificationKeySet(set), at: clock.now, cacheControl: response.cacheControl)
    } catch {
      knownURL.withLock { $0 = issuer.keySetURL }
      throw error
    }
  }

  private func findKeys() async throws(Failure) -> EndpointURL {
    let (fetched, url) = try await locate()
    do throws(IssuerMetadata.Failure) { return try fetched.document.requireKeySetURL() } catch { throw .metadata(error, url) }
  }

  public func metadata() async throws(Failure) -> Fetched<IssuerMetadata> { try await locate().0 }

  /// The first location that has a document decides: one that speaks for somebody else is a failure, not a reason to look
  /// elsewhere.
  private func locate() async throws(Failure) -> (Fetched<IssuerMetadata>, EndpointURL) {
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
        let metadata = try IssuerMetadata(
          parsing: response.body.exposedBytes, of: issuer.identifier, allowHTTP: issuer.allowHTTP)
        return (Fetched(metadata, at: clock.now, cacheControl: response.cacheControl), url)
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
