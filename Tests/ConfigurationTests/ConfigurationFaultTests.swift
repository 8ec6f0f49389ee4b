import Configuration
import Testing

/// Every case replaces one piece of the valid file and expects exactly these faults, as `line:column: message`.
@Suite("Configuration faults")
struct ConfigurationFaultTests {
  typealias Case = (piece: String, replacement: String, faults: String)

  static let structure: [Case] = [
    ("issuer:", "isuer:",
     "1:1: \"issuer\" is missing; the URL that tokens and metadata name\n1:1: unknown key \"isuer\"; did you mean \"issuer\"?"),
    ("listen:", "colour: red\nlisten:", "2:1: unknown key \"colour\""),
    ("redirect_uris:", "redirect_uri:",
     "12:5: clients[0]: authorization_code needs a redirect URI (RFC 9700 §2.1)\n15:5: unknown key \"redirect_uri\" in clients[0]; did you mean \"redirect_uris\"?"),
    ("    upstream: api", "    upstraem: api",
     "33:5: routes[0]: \"upstream\" is missing\n37:5: unknown key \"upstraem\" in routes[0]; did you mean \"upstream\"?"),
    ("methods: [GET]", "methods: GET", "34:41: routes[0].match.methods must be a list, not a single value"),
    ("match: { path: /photos/**, methods: [GET] }", "match: /photos/**",
     "34:12: routes[0].match must be a mapping, not a single value"),
    ("issuer: https://auth.example.com", "issuer: [https://auth.example.com]",
     "1:9: issuer must be a single value, not a list"),
    ("issuer: https://auth.example.com", "issuer:", "1:8: issuer must be a single value, not nothing"),
    ("issuer: https://auth.example.com", "issuer: \"\"", "1:9: issuer must not be empty"),
    ("listen:\n  - address: 127.0.0.1:8080", "listen: []", "2:9: listen must have an address"),
    ("database: \"${env:DB}\"\n", "", "1:1: \"database\" is missing; a libpq URI in \"${env:NAME}\""),
    ("scopes: [photos.read]\n  - id", "scopes: [photos.read, photos.read]\n  - id",
     "16:27: clients[0].scopes[1]: \"photos.read\" is listed twice"),
  ]

  static let references: [Case] = [
    ("upstream: api", "upstream: apy", "37:15: there is no upstream \"apy\"; did you mean \"api\"?"),
    ("upstream: api", "upstream: warehouse", "37:15: there is no upstream \"warehouse\""),
    ("provider: vault", "provider: valt", "36:55: there is no provider \"valt\"; did you mean \"vault\"?"),
    ("require: { scopes: [photos.read] }", "require: { scopes: [photo.read] }",
     "35:25: scope \"photo.read\" is not declared under scopes; did you mean \"photos.read\"?"),
    ("    scopes: [photos.read]", "    scopes: [photos.red]",
     "16:14: scope \"photos.red\" is not declared under scopes, so the consent page could not explain it; did you mean \"photos.read\"?"),
    ("active: k1", "active: k2", "6:11: keys: the active key 'k2' is not among the keys; did you mean \"k1\"?"),
    ("grants: [client_credentials]", "grants: [client_credential]",
     "19:14: no grant \"client_credential\" is switched on under grants; did you mean \"client_credentials\"?"),
    ("grants: [client_credentials]", "grants: [password]",
     "19:14: the password grant is not offered (RFC 9700 §2); use authorization_code with PKCE"),
    ("scopes:\n", "grants: [authorization_code, refresh_token]\nscopes:\n",
     "20:14: no grant \"client_credentials\" is switched on under grants"),
    ("scopes:\n", "grants: [magic]\nscopes:\n", "9:10: this program has no grant \"magic\"; it has authorization_code, client_credentials, refresh_token (one of your own comes with a program of your own, such as Examples/CustomGrantServer)"),
    ("allowed_hosts: [127.0.0.1]", "allowed_hosts: [api.vault.example]",
     "36:55: provider \"vault\" does not let its tokens go to 127.0.0.1, a server of upstream \"api\"; add it to allowed_hosts if it may have them"),
  ]

  static let duplicates: [Case] = [
    ("id: machine", "id: app", "17:9: there are two clients \"app\""),
    ("accounts:\n", "accounts:\n  - { username: alice, password_hash: \"${env:HASH}\" }\n",
     "23:17: there are two accounts \"alice\""),
    ("routes:\n", "routes:\n  - { name: photos, match: { path: /x }, upstream: api }\n",
     "34:5: There are two routes named \"photos\"."),
    ("routes:\n", "routes:\n  - { name: pics, match: { path: /photos/**, methods: [GET, PUT] }, upstream: api }\n",
     "34:5: Routes \"pics\" and \"photos\" both serve GET /photos/**."),
    ("    - { id: k1", "    - { id: k1, secret: \"${file:/secrets/k1}\" }\n    - { id: k1",
     "6:3: keys: the key 'k1' is given twice"),
    ("  photos.read: See", "  photos.read: A\n  photos.read: See",
     "10:3: the key \"photos.read\" stands twice in one mapping"),
  ]

  static let secrets: [Case] = [
    ("\"${env:APP_SECRET}\"", "hunter2hunter2hunter2",
     "13:13: clients[0].secret: a secret does not stand in the file; write \"${env:NAME}\" or \"${file:/path}\" and put it there"),
    ("${env:APP_SECRET}", "${env:MISSING}", "13:13: clients[0].secret: the environment variable MISSING is not set"),
    ("${env:APP_SECRET}", "${env:EMPTY}", "13:13: clients[0].secret: the environment variable EMPTY is empty"),
    ("${env:APP_SECRET}", "${env:SHORT}",
     "13:13: clients[0].secret must have at least 16 characters; make one with: openssl rand -base64 32"),
    ("${env:APP_SECRET}", "${vault:x}",
     "13:13: clients[0].secret: \"${vault:x}\" is no reference; write \"${env:NAME}\" or \"${file:/absolute/path}\""),
    ("${env:APP_SECRET}", "${env:APP_SECRET}x",
     "13:13: clients[0].secret: \"${env:APP_SECRET}x\" is no reference; write \"${env:NAME}\" or \"${file:/absolute/path}\""),
    ("${file:/secrets/k1}", "${file:secrets/k1}",
     "8:25: keys.ring[0].secret: \"${file:secrets/k1}\" is no reference; write \"${env:NAME}\" or \"${file:/absolute/path}\""),
    ("${file:/secrets/k1}", "${file:/secrets/none}",
     "8:25: keys.ring[0].secret: the file /secrets/none cannot be read"),
    ("${file:/secrets/k1}", "${file:/secrets/empty}", "8:25: keys.ring[0].secret: the file /secrets/empty is empty"),
    ("${file:/secrets/k1}", "${env:BAD_KEY}",
     "8:25: keys.ring[0].secret must be exactly 32 bytes in base64; make one with: openssl rand -base64 32"),
    ("${env:HASH}", "${env:NOT_HASH}",
     "22:39: accounts[0].password_hash must be a PHC string such as $scrypt$ln=14,r=8,p=1$salt$hash"),
    ("\"${env:DB}\"", "postgresql://u:pw@h/d",
     "4:11: database: a password does not stand in the file; write \"${env:NAME}\" or \"${file:/path}\""),
    ("\"${env:DB}\"", "host=h password=pw",
     "4:11: database: a password does not stand in the file; write \"${env:NAME}\" or \"${file:/path}\""),
    ("\"${env:DB}\"", "db.example",
     "4:11: database must be a libpq connection string such as postgresql://user@host/name"),
    ("id: app", "id: \"${env:APP_SECRET}\"",
     "12:9: clients[0].id: references such as ${env:APP_SECRET} are for secrets only; write the value itself"),
    ("{ kind: client_credentials, provider: vault }", "{ kind: api_key, header: X-Api-Key, secret: \"${env:SPLIT}\" }",
     "36:61: routes[0].credential.secret must be visible ASCII, since it is sent as a header field"),
  ]

  static let values: [Case] = [
    ("issuer: https://auth", "issuer: http://auth",
     "1:9: issuer must begin with https://; http:// is for loopback addresses only"),
    ("auth.example.com", "auth.example.com/", "1:9: issuer must be written \"https://auth.example.com\""),
    ("auth.example.com", "auth.example.com/tenant",
     "1:9: issuer: The URL must end after host and port, without path, query or fragment."),
    ("127.0.0.1:8080", "localhost:8080",
     "3:14: listen[0].address must be an IP address and a port such as 0.0.0.0:8443, not \"localhost:8080\""),
    ("127.0.0.1:8080", "8080",
     "3:14: listen[0].address must be an IP address and a port such as 0.0.0.0:8443, not \"8080\""),
    ("scopes:\n", "trusted_proxies: [10.1.2.3/8]\nscopes:\n",
     "9:19: trusted_proxies[0] must be an address or a block such as 10.0.0.0/8 (with zeros behind the prefix), not \"10.1.2.3/8\""),
    ("scopes:\n", "limits: { field_bytes: 32KB }\nscopes:\n",
     "9:24: limits.field_bytes must be a size such as 512B, 64KiB, 10MiB or 1GiB, not \"32KB\""),
    ("scopes:\n", "limits: { field_bytes: 99GiB }\nscopes:\n",
     "9:24: limits.field_bytes must be from 4096B to 1048576B, not 99GiB"),
    ("scopes:\n", "limits: { field_count: many }\nscopes:\n",
     "9:24: limits.field_count must be a whole number, not \"many\""),
    ("scopes:\n", "limits: { header_timeout: 10 }\nscopes:\n",
     "9:27: limits.header_timeout must be a duration such as 500ms, 15s, 10m, 2h or 14d, not \"10\""),
    ("scopes:\n", "limits: { header_timeout: 1.5s }\nscopes:\n",
     "9:27: limits.header_timeout must be a duration such as 500ms, 15s, 10m, 2h or 14d, not \"1.5s\""),
    ("scopes:\n", "limits: { header_timeout: 99999999999999999d }\nscopes:\n",
     "9:27: limits.header_timeout must be from 1s to 10m, not 99999999999999999d"),
    ("scopes:\n", "limits: { http2_streams: 0 }\nscopes:\n",
     "9:26: limits.http2_streams must be from 1 to 10000, not 0"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"http://127.0.0.1:8081\"]\n    protocol: auto",
     "32:15: upstreams.api: auto is for https servers, which choose; write h2 or http1"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"http://127.0.0.1:8081\"]\n    protocol: quic",
     "32:15: upstreams.api.protocol must be http1, h2, auto, not \"quic\""),
    ("scopes:\n", "limits: { minimum_body_rate: 1KiB }\nscopes:\n",
     "9:30: limits.minimum_body_rate must be a rate such as 1KiB/s, not \"1KiB\""),
    ("scopes:\n", "tokens: { code: { lifetime: 10m } }\nscopes:\n",
     "9:29: tokens.code.lifetime must be from 1s to 1m, not 10m"),
    ("scopes:\n", "tokens: { refresh: { idle: 91d } }\nscopes:\n",
     "9:20: tokens.refresh: idle must not be longer than absolute"),
    ("scopes:\n", "tokens: { access: { format: jwe } }\nscopes:\n",
     "9:29: tokens.access.format must be opaque, jwt, not \"jwe\"; did you mean \"jwt\"?"),
    ("photos.read: See", "photos read: See",
     "10:3: \"photos read\" is no scope: visible ASCII without space, quote and backslash (RFC 6749 §3.3)"),
    ("name: photos", "name: my photos",
     "33:11: routes[0].name must be at most 64 letters, digits, hyphens, dots and underscores"),
    ("  vault:", "  va/ult:",
     "24:3: a name in providers must be at most 64 letters, digits, hyphens, dots and underscores\n36:55: there is no provider \"vault\"; did you mean \"va/ult\"?"),
    ("https://app.example/callback", "\"com.exa_mple:/x\"",
     "15:21: clients[0].redirect_uris[0] has a scheme that is neither https nor a reversed domain name such as com.example.app (RFC 8252 §7.1)"),
    ("id: app", "id: a:b", "12:9: clients[0].id: a client id is at most 128 visible ASCII characters without a colon"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"http://api.example\"]",
     "31:15: upstreams.api.servers[0]: credentials would travel in clear to api.example; use https, or say plaintext: allow"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"http://127.0.0.1/x\"]",
     "31:15: upstreams.api.servers[0]: The URL must end after host and port, without path, query or fragment."),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: []", "31:5: upstreams.api: servers must have one at least"),
    ("token_endpoint: https://vault", "token_endpoint: http://vault",
     "25:21: providers.vault: secrets and tokens would travel in clear; use https, or development: { allow_http: true }"),
    ("token_endpoint: https://vault.example/token", "token_endpoint: vault.example",
     "25:21: providers.vault.token_endpoint must be an absolute http or https URL, not \"vault.example\""),
    ("allowed_hosts: [127.0.0.1]", "allowed_hosts: [\"http://127.0.0.1\"]",
     "28:21: providers.vault.allowed_hosts[0] must be a host name or an address, without scheme and port, not \"http://127.0.0.1\""),
    ("path: /photos/**", "path: /photos/../x", "34:20: routes[0].match.path: The path has a dot segment."),
    ("path: /photos/**", "path: /oauth/token",
     "33:5: Route \"photos\" would stand in front of Postern's own /oauth/**; choose another path."),
    ("methods: [GET]", "methods: [get]", "34:42: routes[0].match.methods[0]: methods are case-sensitive; write GET"),
    ("methods: [GET]", "methods: [CONNECT]",
     "34:42: routes[0].match.methods[0]: \"CONNECT\" is no method that a route serves"),
    ("methods: [GET]", "methods: []", "34:41: routes[0].match.methods must not be empty; leave it out for any method"),
    ("upstream: api", "upstream: api\n    anonymous: true",
     "35:14: routes[0]: an anonymous route asks for no token, so it cannot require anything of one"),
    ("upstream: api", "upstream: api\n    anonymous: yes",
     "38:16: routes[0].anonymous must be true or false, not \"yes\""),
    ("upstream: api", "upstream: api\n    rewrite: { strip_prefix: /pics }",
     "38:14: routes[0].rewrite: Not every path of \"/photos/**\" begins with this prefix."),
    ("upstream: api", "upstream: api\n    encoded_slash: allow",
     "38:20: routes[0].encoded_slash must be reject, forward, not \"allow\""),
    ("{ kind: client_credentials, provider: vault }", "{ kind: api_key, header: Host, secret: \"${env:KEY}\" }",
     "36:42: routes[0].credential.header: \"Host\" cannot carry a credential"),
    ("{ kind: client_credentials, provider: vault }", "{ kind: basic, username: \"a:b\", secret: \"${env:KEY}\" }",
     "36:42: routes[0].credential.username must not have a colon (RFC 7617 §2)"),
    ("{ kind: client_credentials, provider: vault }", "{ kind: none, provider: vault }",
     "36:31: unknown key \"provider\" in routes[0].credential"),
  ]

  static let redirectURIs: [Case] = [
    ("https://app.example/callback", "/callback", "15:21: clients[0].redirect_uris[0] is not an absolute URI"),
    ("https://app.example/callback", "https://app.example/callback#x",
     "15:21: clients[0].redirect_uris[0] has a fragment (RFC 6749 §3.1.2)"),
    ("https://app.example/callback", "http://app.example/callback",
     "15:21: clients[0].redirect_uris[0] uses http beyond loopback (RFC 8252 §7.3); use https"),
    ("https://app.example/callback", "http://127.0.0.1.evil.example/",
     "15:21: clients[0].redirect_uris[0] uses http beyond loopback (RFC 8252 §7.3); use https"),
    ("https://app.example/callback", "https://user@app.example/",
     "15:21: clients[0].redirect_uris[0] has user information before its host"),
    ("https://app.example/callback", "https://app.example:0/",
     "15:21: clients[0].redirect_uris[0] has a port that is not between 1 and 65535"),
    ("https://app.example/callback", "\"javascript:alert(1)\"",
     "15:21: clients[0].redirect_uris[0] has a scheme that browsers run or read"),
    ("https://app.example/callback", "\"myapp://callback\"",
     "15:21: clients[0].redirect_uris[0] has a scheme that is neither https nor a reversed domain name such as com.example.app (RFC 8252 §7.1)"),
  ]

  static let clients: [Case] = [
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "",
     "17:5: clients[1]: client_credentials is for clients with a secret (RFC 6749 §4.4)"),
    ("    grants: [authorization_code, refresh_token]", "    authentication: none\n    grants: [authorization_code]",
     "12:5: clients[0]: a client with a secret cannot have authentication none"),
    ("    secret: \"${env:APP_SECRET}\"", "    authentication: client_secret_post",
     "12:5: clients[0]: authentication client_secret_post needs a secret"),
    ("    grants: [client_credentials]", "    authentication: private_key_jwt\n    grants: [client_credentials]",
     "19:21: clients[1].authentication: private_key_jwt is not available in this version"),
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "    authentication: tls_client_auth\n",
     "17:5: clients[1]: tls_client_auth needs certificate, the name that the client's has"),
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "    secret: \"${env:MACHINE_SECRET}\"\n    certificate: { san_dns: a }\n",
     "19:18: clients[1]: certificate is for clients with authentication: tls_client_auth"),
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "    authentication: tls_client_auth\n    certificate: { san_dns: a, san_uri: b }\n",
     "19:18: clients[1].certificate must have exactly one of subject_dn, san_dns, san_uri, san_email and san_ip (RFC 8705 §2.1.2)"),
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "    authentication: tls_client_auth\n    certificate: { san_ip: a }\n",
     "19:28: clients[1].certificate.san_ip must be an IP address, not \"a\""),
    ("    secret: \"${env:MACHINE_SECRET}\"\n", "    authentication: tls_client_auth\n    certificate: { san_dns: a }\n",
     "12:3: client \"machine\" has tls_client_auth, but no listener has client_ca"),
    ("    scopes: [reports.read]", "    scopes: [reports.read]\n    access_token: { certificate_bound: true }",
     "12:3: client \"machine\" has certificate_bound, but no listener has client_ca"),
  ]

  static let tls: [Case] = [
    ("  - address: 127.0.0.1:8080", "  - address: 127.0.0.1:8080\n    tls: { certificate: /c }",
     "4:10: listen[0].tls: \"key\" is missing; the PEM file of the certificate's key"),
    ("  - address: 127.0.0.1:8080",
     "  - address: 127.0.0.1:8080\n    tls: { certificate: /c, key: /k, certificates: [{ certificate: /d }] }",
     "4:53: listen[0].tls.certificates[0]: \"key\" is missing; the PEM file of the certificate's key"),
    ("  - address: 127.0.0.1:8080", "  - address: 127.0.0.1:8080\n    tls: { certificate: c.pem, key: /k }",
     "4:25: listen[0].tls.certificate must be an absolute path, not \"c.pem\""),
    ("  - address: 127.0.0.1:8080", "  - address: 127.0.0.1:8080\n    tls: { certificate: /c, key: /k, client_auth: required }",
     "4:51: listen[0].tls: client_auth needs client_ca, the authorities of the clients"),
    ("  - address: 127.0.0.1:8080",
     "  - address: 127.0.0.1:8080\n    tls: { certificate: /c, key: /k, client_ca: /a, client_auth: always }",
     "4:66: listen[0].tls.client_auth must be optional, required, not \"always\""),
    ("  - address: 127.0.0.1:8080",
     "  - address: 127.0.0.1:8080\n  - address: 127.0.0.1:8080\n    tls: { certificate: /c, key: /k }",
     "4:5: listen[1]: \"127.0.0.1:8080\" is listed twice"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"http://127.0.0.1:8081\"]\n    ca: /ca.pem",
     "32:9: upstreams.api: ca is for https servers, and there is none"),
    ("servers: [\"http://127.0.0.1:8081\"]", "servers: [\"https://127.0.0.1:8081\"]\n    ca: ca.pem",
     "32:9: upstreams.api.ca must be an absolute path, not \"ca.pem\""),
  ]

  /// What the format has and this version does not serve is told, never ignored.
  static let streams: [Case] = [
    ("upstream: api", "upstream: api\n    streams: websocket", "38:14: routes[0].streams must be a mapping, not a single value"),
    ("upstream: api", "upstream: api\n    streams: { web_socket: true }",
     "38:16: unknown key \"web_socket\" in routes[0].streams; did you mean \"websocket\"?"),
    ("upstream: api", "upstream: api\n    streams: { end_on_expiry: 30s }",
     "38:31: routes[0].streams.end_on_expiry must be true or false, not \"30s\""),
    ("upstream: api", "upstream: api\n    streams: { end_on_expiry: { grace: 2d } }",
     "38:40: routes[0].streams.end_on_expiry.grace must be from 0ms to 1d, not 2d"),
    ("require: { scopes: [photos.read] }\n    credential", "anonymous: true\n    streams: { end_on_revoke: true }\n    credential",
     "36:31: routes[0].streams.end_on_revoke: an anonymous route has no token whose end could end anything"),
  ]

  static let unavailable: [Case] = [
    ("upstream: api", "upstream: api\n    accept: []", "38:13: routes[0].accept must name self, or be left out"),
    ("scopes:\n",
     "grants:\n  - authorization_code\n  - refresh_token\n  - client_credentials\n  - { \"urn:x\": https://x.example }\nscopes:\n",
     "13:5: external grants are not available in this version"),
    ("upstream: api", "upstream: api\n    mcp: true", "38:10: mcp is not available in this version"),
  ]

  @Test(
    "A fault is told with file, line, column and the nearest right name",
    arguments: structure + references + duplicates + secrets + values + redirectURIs + clients + tls + streams + unavailable)
  func tells(piece: String, replacement: String, faults: String) {
    #expect(Fixture.faults(piece, replacement).replacing("postern.yaml:", with: "") == faults)
  }

  @Test("All faults are told at once, in the order of the file")
  func tellsAll() throws {
    let text = Fixture.valid.replacing("issuer: https", with: "issuer: http").replacing("upstream: api", with: "upstream: apy")
      .replacing("${env:HASH}", with: "${env:NOPE}").replacing("  api:\n", with: "  api:\n    color: red\n")
    let errors = try #require(throws: ConfigurationErrors.self) { try Fixture.load(text) }
    #expect(errors.errors.map(\.line) == [1, 22, 31, 38])
  }

  @Test("A faulty upstream is told once, not again by each route that names it")
  func doesNotCascade() throws {
    let errors = try #require(throws: ConfigurationErrors.self) {
      try Fixture.load(Fixture.valid.replacing("http://127.0.0.1:8081", with: "nonsense"))
    }
    #expect(errors.errors.count == 1)
  }

  @Test("No fault shows a secret", arguments: ["${env:SHORT}", "${env:NOT_HASH}", "${env:BAD_KEY}", "${env:SPLIT}", "${env:KEY}"])
  func hidesSecrets(reference: String) {
    var text = Fixture.valid
    for known in ["${env:DB}", "${env:APP_SECRET}", "${file:/secrets/k1}", "${env:HASH}"] {
      text = text.replacing(known, with: reference)
    }
    let faults = Fixture.faults(of: text)
    #expect(!faults.isEmpty)
    for secret in Fixture.environment.values where !secret.isEmpty { #expect(!faults.contains(secret)) }
  }

  @Test("What is no YAML document is told where it breaks", arguments: [
    ("", "postern.yaml: the file is empty"), ("- a", "postern.yaml:1:1: the file must be a mapping, not a list"),
    ("a: [1", "postern.yaml:2:1: not YAML: did not find expected ',' or ']'"),
    ("a: 1\n---\nb: 2", "postern.yaml:2:1: not YAML: but found another document"),
    ("a: *b", "postern.yaml:1:4: not YAML: found undefined alias"),
  ])
  func refusesMalformed(text: String, fault: String) {
    #expect(Fixture.faults(of: text) == fault)
  }

  @Test("A file nested without end is refused, not followed", arguments: ["[", "{a: ", "- ", "? "])
  func refusesDeepNesting(opening: String) {
    let faults = Fixture.faults(of: String(repeating: opening, count: 100_000))
    #expect(faults.contains("not YAML"))
  }

  @Test("Aliases that multiply are not multiplied: what no key asks for is not read")
  func survivesAliases() {
    let levels = (1...40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }
    let faults = Fixture.faults(of: (["a0: &a0 [x]"] + levels).joined(separator: "\n"))
    #expect(faults.contains("41:1: unknown key \"a40\""))
  }

  @Test("A file that cannot be read, or is not UTF-8, is told")
  func refusesUnreadable() throws {
    let missing = try #require(throws: ConfigurationErrors.self) {
      try Configuration.load(path: "none.yaml", environment: [:]) { _ in throw Fixture.NoSuchFile() }
    }
    #expect(missing.description == "none.yaml: the file cannot be read; name a readable one with --config")
    let binary = try #require(throws: ConfigurationErrors.self) {
      try Configuration.load(path: "b.yaml", environment: [:]) { _ in [0xff, 0xfe] }
    }
    #expect(binary.description == "b.yaml: the file is not UTF-8")
  }
}
