import Cryptography
import OAuthCore
import ReverseProxy

/// What PrintMyPics and Postern have agreed on: the registration, and where Postern is.
public struct DemoClient: Sendable {
  /// Postern's issuer identifier; browsers and PrintMyPics's server reach it by the same name.
  let issuer: Origin
  let id: ClientID
  let secret: Secret
  /// Ends in `PrintMyPics.callbackPath`.
  let redirectURI: String
  /// The path of the gateway's route to the photos.
  let photosPath: String

  let scope: ScopeSet = ["photos.read"]

  public init(issuer: Origin, id: ClientID, secret: Secret, redirectURI: String, photosPath: String = "/photos") {
    precondition(redirectURI.hasSuffix(PrintMyPics.callbackPath), "answers would arrive where nobody reads them")
    self.issuer = issuer
    self.id = id
    self.secret = secret
    self.redirectURI = redirectURI
    self.photosPath = photosPath
  }

  var authorizationEndpoint: String { "\(issuer)/oauth/authorize" }
  var tokenEndpoint: String { "\(issuer)/oauth/token" }
  var revocationEndpoint: String { "\(issuer)/oauth/revoke" }
  /// A route of Postern's gateway, with CloudVault behind it.
  var photos: String { "\(issuer)\(photosPath)" }

  /// Identifier and secret are form-encoded before they are joined. Source: RFC 6749 §2.3.1.
  var basicAuthorization: Secret {
    let pair = PercentEncoding.encode(id.rawValue) + ":" + PercentEncoding.encode(secret.exposedText)
    return Secret("Basic " + Base64.encode(Array(pair.utf8)))
  }
}
