import CustomGrant
import Glibc
import OAuthCore
import PosternServer

// Postern with one more grant. It takes every command and configuration that `postern` takes; switch the grant on under
// `grants` and for the clients that may use it.
await Postern.main(grants: [CompanionCodeGrant(pairings: OnePairing())])

/// Knows one code, for ten minutes after the start: `COMPANION_CODE`, shown by Alice's device to PrintMyPics.
struct OnePairing: CompanionCodeGrant.Pairings {
  private let code = getenv("COMPANION_CODE").map { String(cString: $0) }
  private let expiresAt = Timestamp(seconds: Int64(time(nil)) + 600)

  func pairing(code: String) async throws(StoreFailure) -> CompanionCodeGrant.Pairing? {
    guard let known = self.code, code == known else { return nil }
    return CompanionCodeGrant.Pairing(
      subject: Subject("user:alice"), client: ClientID("printmypics"), scope: ["photos.read"], expiresAt: expiresAt)
  }
}
