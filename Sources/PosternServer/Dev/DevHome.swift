import CloudVaultDemo
import Cryptography
import Glibc
import ReverseProxy

/// The folder of `postern dev`: generated secrets and a configuration that every other command can use, too.
///
/// What is there already stays, so the next start finds the same clients, keys and tokens.
struct DevHome {
  struct Ports {
    let postern: UInt16
    let cloudVault: UInt16
    let admin: UInt16
  }

  /// Absolute.
  let directory: String
  let ports: Ports

  let serviceSecret: Secret
  let printMyPicsSecret: Secret
  let cloudVaultSecret: Secret
  let alicePassword: Secret

  var configurationPath: String { "\(directory)/postern.yaml" }
  var issuer: Origin { Origin(scheme: .http, host: "127.0.0.1", port: ports.postern) }
  var printMyPics: String { "http://127.0.0.1:\(ports.cloudVault)\(PrintMyPics.homePath)" }
  var cloudVault: String { "http://127.0.0.1:\(ports.cloudVault)" }
  /// Where CloudVault sends users back to who connect their accounts.
  var connectCallback: String { "\(issuer)/connect/my-cloudvault/callback" }
  /// The route to the photos of whoever asks.
  static let myPhotosPath = "/my-photos"
  var redirectURI: String { "http://127.0.0.1:\(ports.cloudVault)\(PrintMyPics.callbackPath)" }

  init(directory: String, ports: Ports, databaseURI: String) throws {
    self.directory = directory
    self.ports = ports
    try Self.makeDirectory("\(directory)/secrets", mode: 0o700)
    func secret(_ name: String, _ make: () -> String) throws -> Secret {
      let path = "\(directory)/secrets/\(name)"
      if let known = try? FileContent.read(path), !known.isEmpty { return Secret(bytes: known) }
      let made = make()
      try Self.write(made, to: path)
      return Secret(made)
    }
    let random = SystemRandom()
    _ = try secret("ring-key") { Base64.encode(random.bytes(32)) }
    serviceSecret = try secret("nightly-report") { Base64URL.encode(random.bytes(32)) }
    printMyPicsSecret = try secret("printmypics") { Base64URL.encode(random.bytes(32)) }
    cloudVaultSecret = try secret("cloudvault") { Base64URL.encode(random.bytes(32)) }
    let password = try secret("alice-password") { Base64URL.encode(random.bytes(9)) }
    alicePassword = password
    _ = try secret("alice-password-hash") { Scrypt.hash(password: password) }
    try Self.write(databaseURI, to: "\(directory)/secrets/database-uri")
    try Self.write(configurationText, to: configurationPath)
  }

  private var configurationText: String {
    """
    # Written by `postern dev` at every start; copy it to change it.
    issuer: \(issuer)
    listen:
      - address: 127.0.0.1:\(ports.postern)
    admin: { address: 127.0.0.1:\(ports.admin) }
    database: "${file:\(directory)/secrets/database-uri}"
    keys:
      active: k1
      ring:
        - { id: k1, secret: "${file:\(directory)/secrets/ring-key}" }

    scopes:
      photos.read: See your photos
      albums.list: List your albums

    grants: [authorization_code, client_credentials, refresh_token]

    clients:
      - id: printmypics
        name: PrintMyPics
        secret: "${file:\(directory)/secrets/printmypics}"
        authentication: client_secret_basic
        grants: [authorization_code, refresh_token]
        redirect_uris: ["\(redirectURI)"]
        scopes: [photos.read, albums.list]
      - id: nightly-report
        name: Nightly report
        secret: "${file:\(directory)/secrets/nightly-report}"
        authentication: client_secret_basic
        grants: [client_credentials]
        scopes: [photos.read]

    accounts:
      - { username: alice, password_hash: "${file:\(directory)/secrets/alice-password-hash}" }

    providers:
      cloudvault:
        token_endpoint: http://127.0.0.1:\(ports.cloudVault)/oauth/token
        client: { id: postern, secret: "${file:\(directory)/secrets/cloudvault}", authentication: client_secret_basic }
        grant: client_credentials
        scopes: [read_photos]
        allowed_hosts: [127.0.0.1]
        development: { allow_http: true, allow_private_addresses: true }
      # Where users connect accounts of their own. The issuer's metadata tells the endpoints.
      my-cloudvault:
        issuer: \(cloudVault)
        client: { id: postern, secret: "${file:\(directory)/secrets/cloudvault}", authentication: client_secret_basic }
        grant: authorization_code
        scopes: [read_photos]
        rotation: none
        allowed_hosts: [127.0.0.1]
        development: { allow_http: true, allow_private_addresses: true }

    shutdown: { delay: 0s }

    upstreams:
      cloudvault:
        servers: ["http://127.0.0.1:\(ports.cloudVault)"]

    routes:
      - name: photos
        match: { path: /photos/**, methods: [GET] }
        require: { scopes: [photos.read] }
        credential: { kind: client_credentials, provider: cloudvault }
        upstream: cloudvault
        rewrite: { strip_prefix: /photos, add_prefix: /api/v1/photos }
      - name: my-photos
        match: { path: /my-photos/**, methods: [GET] }
        require: { scopes: [photos.read] }
        credential: { kind: connection, provider: my-cloudvault }
        upstream: cloudvault
        rewrite: { strip_prefix: /my-photos, add_prefix: /api/v1/photos }

    """
  }

  // MARK: Files

  /// Makes a folder and those above it.
  static func makeDirectory(_ path: String, mode: mode_t) throws {
    var made = ""
    for part in path.split(separator: "/") {
      made += "/\(part)"
      guard mkdir(made, 0o755) == 0 || errno == EEXIST else {
        throw CommandFailure("the folder \(made) cannot be made: \(String(cString: strerror(errno)))")
      }
    }
    chmod(path, mode)
  }

  /// Readable by its owner only; replaced as a whole.
  static func write(_ text: String, to path: String) throws {
    let unfinished = "\(path).unfinished"
    let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CommandFailure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    let bytes = Array(text.utf8)
    let written = Glibc.write(descriptor, bytes, bytes.count)
    close(descriptor)
    guard written == bytes.count, rename(unfinished, path) == 0 else { throw CommandFailure("\(path) cannot be written") }
  }
}
