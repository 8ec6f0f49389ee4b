import Cryptography
import OAuthCore

extension YAMLValue {
  var accounts: [Account]? {
    var seen: Set<String> = []
    return list { value in
      value.section { section in
        let username = section.required("username") { $0.text }
        let hash = section.required("password_hash", "make one with: postern account hash-password") { $0.passwordHash }
        if let username, !seen.insert(username).inserted {
          section.member("username")?.fault("there are two accounts \"\(username)\"")
        }
        guard let username, let hash else { return nil }
        // The colon keeps accounts and clients apart: no client id of the file has one.
        return Account(subject: Subject("user:\(username)"), username: username, passwordHash: hash, isConfigured: true)
      }
    }
  }

  private var passwordHash: String? {
    guard let (secret, _) = secretOrLiteral else { return nil }
    let text = secret.exposedText
    guard Scrypt.isWellFormed(text) else {
      return fault("\(path) must be a PHC string such as $scrypt$ln=14,r=8,p=1$salt$hash")
    }
    return text
  }
}
