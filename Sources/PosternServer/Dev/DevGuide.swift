import Cryptography

/// What `postern dev` prints when it is ready: three commands that show three things.
struct DevGuide {
  let home: DevHome

  var text: String {
    let issuer = home.issuer
    return """

      Postern is ready at \(issuer) (health and metrics: http://127.0.0.1:\(home.ports.admin)).
      Ctrl-C stops it; everything is kept in \(home.directory).

      1. A token for a service (client credentials):

         curl -s -u nightly-report:\(home.serviceSecret.exposedText) -d grant_type=client_credentials \(issuer)/oauth/token

      2. A call through the gateway. CloudVault wants a bearer token of its own; Postern gets it and puts it in:

         TOKEN=$(curl -s -u nightly-report:\(home.serviceSecret.exposedText) -d grant_type=client_credentials \(issuer)/oauth/token | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
         curl -s -H "Authorization: Bearer $TOKEN" \(issuer)/photos

      3. The whole story: open this in a browser, and sign in as alice with the password \(home.alicePassword.exposedText):

         \(home.printMyPics)

         PrintMyPics gets nothing until Alice has connected her account at CloudVault, once. Postern's account page, where she
         can end that again: \(issuer)/account

      """
  }
}
