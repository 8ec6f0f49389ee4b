import Cryptography
import Foundation
import Testing

extension SystemTests {
  @Test("Neither pg_dump nor the logs at trace level hold a token, code, secret, password or upstream credential")
  func noSecretAtRest() throws {
    let deployment = try Deployment()
    try deployment.startCloudVault()
    var secrets = [
      deployment.clientSecret, deployment.serviceSecret, deployment.cloudVaultSecret, deployment.password, deployment.ringKey,
    ]

    let proof = Browser.Proof()
    var browser = Browser(deployment)
    let code = try #require(try browser.authorize(password: deployment.password, proof: proof).code)
    secrets += browser.cookieValues + [code, proof.verifier]
    let first = try deployment.redeem(code, proof.verifier)
    for name in ["access_token", "refresh_token"] { secrets.append(try #require(first.json[name] as? String)) }
    let second = try deployment.refresh(try #require(first.json["refresh_token"] as? String))
    for name in ["access_token", "refresh_token"] { secrets.append(try #require(second.json[name] as? String)) }
    let service = try deployment.serviceToken()
    secrets.append(service)
    secrets.append(try deployment.serviceJWT())
    let photos = try HTTPClient.get(port: deployment.port, "/photos", fields: ["Authorization": "Bearer \(service)"])
    #expect(photos.status == 200)
    // Mistakes carry secrets too: wrong places, wrong passwords.
    _ = try HTTPClient.get(port: deployment.port, "/photos?access_token=\(service)")
    _ = try HTTPClient.post(port: deployment.port, "/oauth/token?client_secret=\(deployment.serviceSecret)", form: [("grant_type", "client_credentials")])
    _ = try deployment.redeem(code, proof.verifier)
    let created = try deployment.postern("client", "create", "made-here", "--grant", "client_credentials", "--scope", "photos.read")
    #expect(created.status == 0, "\(created.errors)")
    secrets += created.output.components(separatedBy: .whitespacesAndNewlines).filter { $0.hasPrefix("psk_") }
    #expect(secrets.contains { $0.hasPrefix("psk_") })

    deployment.processes[0].stop()
    let dump = try deployment.dump()
    #expect(dump.contains("grant_family"))
    let log = deployment.processes[0].logText
    #expect(log.contains("\"level\":\"trace\"") || log.contains("\"level\":\"debug\""))
    for (place, text) in [("dump", dump.lowercased()), ("log", log.lowercased())] {
      for secret in secrets {
        for (form, needle) in Self.forms(of: secret) {
          #expect(!text.contains(needle.lowercased()), "\(form) of \(secret.prefix(12))… in the \(place)")
        }
      }
    }
  }

  /// A secret as it could appear: as it is, as hexadecimal, as base64, and the same of the bytes inside a handle.
  private static func forms(of secret: String) -> [(String, String)] {
    func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
    let bytes = Array(secret.utf8)
    var forms = [("text", secret), ("hex", hex(bytes)), ("base64", String(Data(bytes).base64EncodedString().dropLast(4)))]
    // prefix_ + base64url(16-byte locator ‖ 32-byte secret ‖ 8-byte tag): the locator is public, the 32 bytes are not.
    if secret.dropFirst(3).first == "_", let handle = Base64URL.decode(Array(secret.dropFirst(4).utf8)), handle.count == 56 {
      let inner = Array(handle[16..<48])
      forms += [("inner hex", hex(inner)), ("inner base64", String(Data(inner).base64EncodedString().dropLast(4)))]
    }
    return forms
  }
}
