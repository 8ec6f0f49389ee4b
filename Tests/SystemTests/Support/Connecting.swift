import Foundation
import Testing

/// A user with a connection.
extension SystemTests {
  /// Alice's browser goes to the provider and comes back; signs in on the way if it has to.
  func connect(_ browser: inout Browser, _ provider: ScriptedOAuthProvider, _ deployment: Deployment) throws -> Answer {
    var target = "/connect/box"
    for _ in 0..<8 {
      let answer = try browser.visit("GET", target)
      guard let location = answer.field("Location") else {
        guard answer.text.contains("action=\"/login\"") else { return answer }
        var form = Browser.hiddenFields(of: answer.text)
        form += [("username", "alice"), ("password", deployment.password)]
        let signedIn = try browser.visit("POST", "/login", form: form)
        target = try #require(signedIn.field("Location"))
        continue
      }
      target = location
      let origin = "http://127.0.0.1:\(provider.port)"
      if location.hasPrefix("\(origin)/") {
        let consent = try HTTPClient.get(port: provider.port, String(location.dropFirst(origin.count)))
        target = try #require(consent.field("Location"))
      }
      if target.hasPrefix(browser.origin) { target = String(target.dropFirst(browser.origin.count)) }
    }
    throw Failure(description: "no end to the redirects")
  }

  func userToken(_ deployment: Deployment) throws -> [String: String] {
    let proof = Browser.Proof()
    let answer = try deployment.redeem(try deployment.newCode(proof), proof.verifier)
    return ["Authorization": "Bearer \(try #require(answer.json["access_token"] as? String))"]
  }
}
