import Foundation
import Testing

/// Guessing is slowed down per account and per source address. That waiting helps, and that nobody stays locked out, is
/// shown on a manual clock: `FailureLimiterTests`, `ClientAuthenticatorTests`, `PasswordVerifierTests`.
extension SystemTests {
  @Test("RFC 6749 §2.3.1: wrong client secrets end in 429 with Retry-After, per source address and per client")
  func clientSecretLimit() throws {
    let deployment = try Deployment()
    func ask(_ id: String, _ secret: String, from source: String) throws -> Answer {
      try HTTPClient.post(
        port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")],
        fields: Deployment.basic(id, secret), from: source)
    }
    func guess(from source: String) throws {
      let statuses = try (0..<11).map { _ in try ask("nightly-report", "wrong", from: source).status }
      #expect(statuses == Array(repeating: 401, count: 10) + [429], "from \(source)")
    }

    try guess(from: "127.0.0.2")
    let limited = try ask("nightly-report", deployment.serviceSecret, from: "127.0.0.2")
    #expect(limited.status == 429, "the right secret gets the same answer")
    #expect(limited.field("Retry-After").flatMap { Int($0) }.map { (1...20).contains($0) } == true)
    #expect(limited.field("Cache-Control") == "no-store")
    #expect(try ask("nightly-report", deployment.serviceSecret, from: "127.0.0.3").status == 200, "others go on")

    // From a second address the client itself is guessed at too often. Where it has authenticated before it goes on, and
    // another client is not touched.
    try guess(from: "127.0.0.4")
    #expect(try ask("nightly-report", deployment.serviceSecret, from: "127.0.0.5").status == 429)
    #expect(try ask("nightly-report", deployment.serviceSecret, from: "127.0.0.3").status == 200)
    let other = try HTTPClient.post(
      port: deployment.port, "/oauth/token",
      form: [("grant_type", "client_credentials")] + deployment.jwtReport,
      from: "127.0.0.3")
    #expect(other.status == 200)
  }

  @Test("Wrong passwords end in a page with 429 and Retry-After, per source address; from elsewhere the right one works")
  func passwordLimit() throws {
    let deployment = try Deployment()
    var guesser = Browser(deployment, source: "127.0.0.2")
    let statuses = try (0..<11).map { _ in try guesser.signIn("alice", "wrong password").status }
    #expect(statuses.last == 429)
    #expect(statuses.dropLast().allSatisfy { $0 != 429 && $0 < 500 })
    let limited = try guesser.signIn("alice", deployment.password)
    #expect(limited.status == 429, "the right password gets the same answer")
    #expect(limited.field("Retry-After").flatMap { Int($0) }.map { (1...20).contains($0) } == true)
    var alice = Browser(deployment, source: "127.0.0.3")
    #expect(try alice.signIn("alice", deployment.password).status == 303)
  }
}

extension Browser {
  fileprivate mutating func signIn(_ username: String, _ password: String) throws -> Answer {
    let form = Self.hiddenFields(of: try visit("GET", "/login").text)
    return try visit("POST", "/login", form: form + [("username", username), ("password", password)])
  }
}
