import Configuration
import Cryptography

/// A whole, valid file with marked places that a test can change.
enum Fixture {
  static let environment = [
    "DB": "postgresql://postern:pw@db/postern", "APP_SECRET": "0123456789abcdef-app", "SHORT": "tooshort",
    "MACHINE_SECRET": "0123456789abcdef-machine", "PROVIDER_SECRET": "provider-secret", "KEY": "api-key-value",
    "EMPTY": "",
    "BAD_KEY": "c2hvcnQ=", "HASH": hash, "NOT_HASH": "plain-password", "SPLIT": "a\r\nX-Evil: 1",
    "CLIENT_KEY": String(
      decoding: SigningKey.generate(.es256, id: "client-key").jwk.exposedPrivateJSON.bytes, as: UTF8.self),
  ]

  static let hash = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
  static let files = ["/secrets/k1": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", "/secrets/empty": "\n"]

  static let valid = """
    issuer: https://auth.example.com
    listen:
      - address: 127.0.0.1:8080
    database: "${env:DB}"
    keys:
      active: k1
      ring:
        - { id: k1, secret: "${file:/secrets/k1}" }
    scopes:
      photos.read: See your photos
    clients:
      - id: app
        secret: "${env:APP_SECRET}"
        grants: [authorization_code, refresh_token]
        redirect_uris: [https://app.example/callback]
        scopes: [photos.read]
      - id: machine
        secret: "${env:MACHINE_SECRET}"
        grants: [client_credentials]
        scopes: [reports.read]
    accounts:
      - { username: alice, password_hash: "${env:HASH}" }
    providers:
      vault:
        token_endpoint: https://vault.example/token
        grant: client_credentials
        client: { id: postern, secret: "${env:PROVIDER_SECRET}" }
        allowed_hosts: [127.0.0.1]
    upstreams:
      api:
        servers: ["http://127.0.0.1:8081"]
    routes:
      - name: photos
        match: { path: /photos/**, methods: [GET] }
        require: { scopes: [photos.read] }
        credential: { kind: client_credentials, provider: vault }
        upstream: api
    """

  /// Loads a text as `postern.yaml` with the fixture's environment and files.
  static func load(_ text: String) throws(ConfigurationErrors) -> Configuration {
    try Configuration.load(path: "postern.yaml", environment: environment) { path in
      if path == "postern.yaml" { return Array(text.utf8) }
      guard let file = files[path] else { throw NoSuchFile() }
      return Array(file.utf8)
    }
  }

  /// The faults of the valid file with one piece replaced, one a line; empty when it loads.
  static func faults(_ piece: String, _ replacement: String) -> String {
    precondition(valid.contains(piece), "the fixture has no \(piece)")
    return faults(of: valid.replacing(piece, with: replacement, maxReplacements: 1))
  }

  static func faults(of text: String) -> String {
    do {
      _ = try load(text)
      return ""
    } catch {
      return error.description
    }
  }

  struct NoSuchFile: Error {}
}
