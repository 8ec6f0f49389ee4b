import Broker
import Cryptography
import JSON

/// What the token endpoint gave. Source: RFC 6749 §5.1.
struct Tokens: Sendable, Equatable {
  var access: Secret
  var refresh: Secret?

  init(access: Secret, refresh: Secret?) {
    self.access = access
    self.refresh = refresh
  }

  /// - Parameter previous: the refresh token that was sent; it stays good when the answer names no other.
  ///   Source: RFC 6749 §6.
  init(reading response: ProviderResponse, replacing previous: Secret? = nil) throws(CallFailure) {
    let members = (try? JSON(parsing: response.body.exposedBytes))?.object
    guard response.status == 200 else {
      throw .refused(status: response.status, code: members?["error"]?.string)
    }
    // A type that is not understood must not be used. Source: RFC 6749 §7.1.
    guard let access = members?["access_token"]?.string, Self.isSendable(access),
      members?["token_type"]?.string?.lowercased() == "bearer"
    else { throw .unreadable }
    self.init(access: Secret(access), refresh: members?["refresh_token"]?.string.map { Secret($0) } ?? previous)
  }

  /// Printable ASCII without spaces: what a field value can carry after `Bearer`. Source: RFC 6750 §2.1.
  private static func isSendable(_ token: String) -> Bool {
    !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }
}

/// A photo of the resource owner, as CloudVault lists it.
struct Photo: Sendable, Equatable {
  var title: String

  /// More are not printed at a time.
  static let countMax = 24

  static func list(reading response: ProviderResponse) throws(CallFailure) -> [Photo] {
    let members = (try? JSON(parsing: response.body.exposedBytes))?.object
    if response.status == 424, let address = members?["connect_url"]?.string { throw .notConnected(connectURL: address) }
    guard response.status == 200 else { throw .noPhotos(status: response.status) }
    guard let list = members?["photos"]?.array else { throw .unreadable }
    return list.prefix(countMax).compactMap { $0.object?["title"]?.string.map { Photo(title: $0) } }
  }
}

/// Why a call to Postern brought nothing.
enum CallFailure: Error, Sendable, Equatable {
  case unreachable(TransportFailure)
  /// - Parameter code: the `error` of RFC 6749 §5.2, if there was one.
  case refused(status: Int, code: String?)
  /// The tokens are there, but the API did not answer with photos.
  case noPhotos(status: Int)
  /// Postern has no account of the visitor's at CloudVault: they have to connect it there.
  case notConnected(connectURL: String)
  case unreadable

  /// The code or refresh token is no longer good. Source: RFC 6749 §5.2.
  var isInvalidGrant: Bool { if case .refused(_, "invalid_grant") = self { true } else { false } }
}
