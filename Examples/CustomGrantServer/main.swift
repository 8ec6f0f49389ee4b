import CustomGrant
import Glibc
import OAuthCore
import PosternServer

// Postern with one more grant. It takes every command and configuration that `postern` takes; switch the grant on under
// `grants` and for the clients that may use it.
await Postern.main(grants: [CompanionCodeGrant(pairings: OnePairing())])

/// Knows one code, shown by Alice's device to PrintMyPics: `COMPANION_CODE`, good until `COMPANION_CODE_EXPIRES_AT` (Unix
/// seconds). The expiry comes with the code, since every instance must name the same one (`OneTimeArtefact.expiresAt`).
struct OnePairing: CompanionCodeGrant.Pairings {
  private let code = getenv("COMPANION_CODE").map { String(cString: $0) }
  private let expiresAt = getenv("COMPANION_CODE_EXPIRES_AT").flatMap { Int64(String(cString: $0)) }

  func pairing(code: String) async throws(StoreFailure) -> CompanionCodeGrant.Pairing? {
    guard let known = self.code, code == known, let expiresAt else { return nil }
    return CompanionCodeGrant.Pairing(
      subject: Subject("user:alice"), client: ClientID("printmypics"), scope: ["photos.read"],
      expiresAt: Timestamp(seconds: expiresAt))
  }
}
