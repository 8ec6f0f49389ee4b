import Cryptography
import OAuthCore
import PosternTesting
import Synchronization
import Testing

@Suite struct ClientAuthenticatorTests {
  private func request(
    _ server: ServerUnderTest, _ body: String = "grant_type=client_credentials", basic: String? = nil
  ) async -> EndpointResponse {
    await server.token.respond(
      to: ClientRequest(
        contentType: "application/x-www-form-urlencoded",
        authorizationField: basic.map { "Basic " + Base64.encode(Array($0.utf8)) }, body: Array(body.utf8)))
  }

  private func postClient() -> Client {
    var client = Fixture.web
    client.id = ClientID("post")
    client.authentication = .clientSecretPost
    return client
  }

  // MARK: Refused

  @Test(
    "RFC 6749 §2.3: two authentication methods in one request are invalid_request",
    arguments: [
      "&client_secret=x", "&client_id=web&client_secret=correct+horse+battery+staple", "&client_assertion=x",
      "&client_assertion_type=x",
    ])
  func twoMethods(_ extra: String) async throws {
    let response = await request(
      try await Fixture.server(), "grant_type=client_credentials" + extra, basic: "web:correct+horse+battery+staple")
    #expect(response.errorCode == "invalid_request")
    #expect(response.status == 400)
  }

  @Test("Basic credentials of one client and client_id of another are invalid_request")
  func twoClients() async throws {
    let response = await request(
      try await Fixture.server(), "grant_type=client_credentials&client_id=other",
      basic: "web:correct+horse+battery+staple")
    #expect(response.errorCode == "invalid_request")
  }

  @Test("RFC 6749 §5.2: failed authentication is 401 with a challenge, one answer whatever was wrong")
  func indistinguishable() async throws {
    var disabled = Fixture.web
    disabled.id = ClientID("disabled")
    disabled.isDisabled = true
    let server = try await Fixture.server(
      clients: [Fixture.web, Fixture.native, postClient(), disabled],
      limiter: FailureLimiter(perNetwork: .init(burst: 100, every: .seconds(1))))
    let failures = [
      await request(server, basic: "web:wrong"),
      await request(server, basic: "nobody:wrong"),
      await request(server, basic: "disabled:correct+horse+battery+staple"),
      await request(server, basic: "post:correct+horse+battery+staple"),
      await request(server, basic: "native:anything"),
      await request(server, basic: "web:"),
      await request(server, basic: ":"),
      await request(server, basic: "no colon"),
      await request(server, basic: "web:%zz"),
      await request(server, "grant_type=client_credentials&client_id=web&client_secret=correct+horse+battery+staple"),
      await request(server, "grant_type=client_credentials&client_id=native&client_secret=x"),
      await request(server, "grant_type=client_credentials&client_id=web"),
      await request(server, "grant_type=client_credentials&client_id=nobody"),
      await request(server, "grant_type=client_credentials"),
      await request(server, "grant_type=client_credentials&client_assertion=x"),
    ]
    for failure in failures {
      #expect(failure.status == 401)
      #expect(failure.body == failures[0].body)
      #expect(failure.errorCode == "invalid_client")
      #expect(failure["WWW-Authenticate"] == "Basic realm=\"postern\", charset=\"UTF-8\"")
      #expect(failure["Cache-Control"] == "no-store")
    }
  }

  @Test(
    "RFC 7617 §2: what is not Basic credentials is invalid_client",
    arguments: [
      "Bearer abc", "Basic", "Basic ", "Basic !!!", "Basic d2Vi", "Basic d2ViOng", "basic\td2ViOng=", "", "Negotiate x",
    ])
  func badField(_ field: String) async throws {
    let server = try await Fixture.server()
    var request = server.form(["grant_type": "client_credentials"])
    request.authorizationField = field
    let response = await server.token.respond(to: request)
    #expect(response.status == 401)
    #expect(response.errorCode == "invalid_client")
  }

  @Test("A refusal costs one scrypt, whether the client exists or not")
  func dummyWork() async throws {
    let work = CountingWork()
    let secrets = SecretVerification(work: work, random: SeededRandom())
    #expect(try await !secrets.matches(Secret("wrong"), anyOf: []))
    #expect(work.count == 1)
    #expect(try await !secrets.matches(Secret("wrong"), anyOf: [.sha256(SHA256.digest("right"))]))
    #expect(work.count == 2)
    let hash = Scrypt.hash(password: Secret("right"), logN: 4)
    #expect(try await !secrets.matches(Secret("wrong"), anyOf: [.scrypt(hash)]))
    #expect(work.count == 3)
  }

  // MARK: Accepted

  @Test("RFC 6749 §2.3.1: Basic credentials are form-encoded inside")
  func encodedCredentials() async throws {
    var client = Fixture.web
    client.id = ClientID("a:b c%")
    client.secrets = [.sha256(SHA256.digest("s:e c+%ü"))]
    let server = try await Fixture.server(clients: [client])
    let response = await request(server, basic: "a%3Ab+c%25:s%3Ae+c%2B%25%C3%BC")
    #expect(response.status == 200)
  }

  @Test("RFC 6749 §2.3.1: credentials in the body, for the client registered so")
  func post() async throws {
    let server = try await Fixture.server(clients: [postClient()])
    let response = await request(
      server, "grant_type=client_credentials&client_id=post&client_secret=correct+horse+battery+staple")
    #expect(response.status == 200)
  }

  @Test("RFC 9110 §11.1: the scheme is compared without case, and client_id may repeat the name")
  func scheme() async throws {
    let server = try await Fixture.server()
    var request = server.form(
      ["grant_type": "client_credentials", "client_id": "web"], as: Fixture.web.id, secret: Fixture.secret)
    request.authorizationField = request.authorizationField.map { "bASIC" + $0.dropFirst(5) }
    #expect(await server.token.respond(to: request).status == 200)
  }

  @Test("While a secret is rotated, the old and the new one are accepted, and no third")
  func rotation() async throws {
    var client = Fixture.web
    client.secrets = [.sha256(SHA256.digest("old")), .scrypt(Scrypt.hash(password: Secret("new"), logN: 4))]
    let server = try await Fixture.server(clients: [client])
    #expect(await request(server, basic: "web:old").status == 200)
    #expect(await request(server, basic: "web:new").status == 200)
    #expect(await request(server, basic: "web:third").status == 401)
  }

  @Test("scrypt is paid once per secret, and again after the stored hash changes")
  func remembered() async throws {
    let work = CountingWork()
    let secrets = SecretVerification(work: work, random: SeededRandom())
    let hash = Scrypt.hash(password: Secret("right"), logN: 4)
    for _ in 0..<5 { #expect(try await secrets.matches(Secret("right"), anyOf: [.scrypt(hash)])) }
    #expect(work.count == 1)
    let replaced = Scrypt.hash(password: Secret("other"), logN: 4)
    #expect(try await !secrets.matches(Secret("right"), anyOf: [.scrypt(replaced)]))
    #expect(work.count == 2)
  }

  // MARK: Guessing

  /// Its secret was chosen by a person: "correct horse battery staple".
  private func scryptClient() -> Client {
    var client = Fixture.web
    client.secrets = [.scrypt(Scrypt.hash(password: Secret(Fixture.secret), logN: 4))]
    return client
  }

  @Test("RFC 6749 §2.3.1: guessing is limited, and the answer no longer says whether a chosen secret was right")
  func limited() async throws {
    let server = try await Fixture.server(clients: [scryptClient()])
    // Remembered by now, which must not make a difference.
    #expect(await request(server, basic: "web:correct+horse+battery+staple").status == 200)
    for _ in 0..<10 { #expect(await request(server, basic: "web:wrong").status == 401) }
    let wrong = await request(server, basic: "web:wrong")
    let right = await request(server, basic: "web:correct+horse+battery+staple")
    #expect(wrong.status == 429)
    #expect(right.status == 429)
    #expect(right.body == wrong.body)
    #expect(right["Retry-After"] == wrong["Retry-After"])
    let seconds = try #require(right["Retry-After"].flatMap { Int64($0) })
    server.clock.advance(by: .seconds(seconds))
    #expect(await request(server, basic: "web:correct+horse+battery+staple").status == 200)
  }

  @Test("RFC 6749 §2.3.1: guessing from many addresses is limited per client, and only for that client")
  func limitedPerClient() async throws {
    let server = try await Fixture.server(clients: [scryptClient(), Fixture.other])
    #expect(await guess(server) == Array(repeating: 401, count: 20) + Array(repeating: 429, count: 20))
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 429)
    let other = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.other.id, secret: "other secret", from: "192.0.2.1")
    #expect(other.status == 200)
  }

  @Test("Strangers cannot lock out a client whose secret has 256 bits; wrong secrets stay limited, one answer for all")
  func generatedSecretIsNeverLimited() async throws {
    let server = try await Fixture.server()
    #expect(await guess(server) == Array(repeating: 401, count: 20) + Array(repeating: 429, count: 20))
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 200)
    #expect(await ask(server, "wrong", from: "198.51.100.7") == 429)
    #expect(await guess(server, as: "nobody", last: 60) == Array(repeating: 401, count: 20) + Array(repeating: 429, count: 40))
    let known = await server.requestToken(["grant_type": "client_credentials"], as: Fixture.web.id, secret: "wrong")
    let unknown = await server.requestToken(["grant_type": "client_credentials"], as: ClientID("nobody"), secret: "wrong")
    #expect(known.status == 429 && unknown.status == 429 && known.body == unknown.body)
  }

  @Test("A disabled client's right secret is limited like a wrong one")
  func disabledStaysLimited() async throws {
    var disabled = Fixture.web
    disabled.isDisabled = true
    let server = try await Fixture.server(clients: [disabled])
    #expect(await guess(server, last: 20) == Array(repeating: 401, count: 20))
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 429)
  }

  @Test("A secret of the configuration was chosen by a person: guessing it is limited")
  func configuredStaysLimited() async throws {
    var configured = Fixture.web
    configured.isConfigured = true
    let server = try await Fixture.server(clients: [configured])
    #expect(await guess(server, last: 20) == Array(repeating: 401, count: 20))
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 429)
  }

  @Test("Strangers cannot lock out a client with a chosen secret from a network it has authenticated from")
  func ownNetwork() async throws {
    let server = try await Fixture.server(clients: [scryptClient()])
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 200)
    #expect(await guess(server) == Array(repeating: 401, count: 20) + Array(repeating: 429, count: 20))
    #expect(await ask(server, Fixture.secret, from: "198.51.100.7") == 200)
    #expect(await ask(server, Fixture.secret, from: "198.51.100.8") == 429)
  }

  private func ask(_ server: ServerUnderTest, _ secret: String, from address: String) async -> Int {
    await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: secret, from: address
    ).status
  }

  /// Wrong secrets, each from an address of its own.
  private func guess(_ server: ServerUnderTest, as client: String = "web", last: Int = 40) async -> [Int] {
    var statuses: [Int] = []
    for address in 0..<last {
      statuses.append(
        await server.requestToken(
          ["grant_type": "client_credentials"], as: ClientID(client), secret: "wrong", from: "192.0.2.\(address)"
        ).status)
    }
    return statuses
  }

  @Test("One address that guesses cannot lock a client out for others")
  func noLockOut() async throws {
    let server = try await Fixture.server()
    for _ in 0..<1000 { _ = await request(server, basic: "web:wrong") }
    let response = await server.requestToken(
      ["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret, from: "198.51.100.7")
    #expect(response.status == 200)
  }

  @Test("Client credentials that are right are never limited")
  func neverLimited() async throws {
    let server = try await Fixture.server()
    for _ in 0..<200 {
      #expect(
        await server.requestToken(["grant_type": "client_credentials"], as: Fixture.web.id, secret: Fixture.secret)
          .status == 200)
    }
  }

  @Test("A directory that does not answer is 503, not a refusal")
  func directoryDown() async throws {
    let server = try await Fixture.server()
    server.clients.failure = .unavailable
    let response = await request(server, basic: "web:correct+horse+battery+staple")
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
  }
}

/// Counts what is sent to it, and lets others go first: what can run at once does.
final class CountingWork: BlockingWork {
  private let runs = Mutex(0)
  private let failing = Mutex<StoreFailure?>(nil)
  var count: Int { runs.withLock { $0 } }

  /// While set, nothing runs.
  var failure: StoreFailure? {
    get { failing.withLock { $0 } }
    set { failing.withLock { $0 = newValue } }
  }

  func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws(StoreFailure) -> Result {
    if let failure { throw failure }
    runs.withLock { $0 += 1 }
    for _ in 0..<100 { await Task.yield() }
    return body()
  }
}
