import Cryptography
import OAuthCore
import PostgresStore
import Testing

@testable import Broker

/// What a provider may answer to a refresh, and what comes of it. Source: RFC 6749 §5.1, §5.2.
@Suite("Answers of a provider, on one PostgreSQL", .timeLimit(.minutes(1)))
struct ProviderAnswerTests {
  struct Answer: Sendable, CustomTestStringConvertible {
    let name: String
    let response: ProviderResponse
    /// Of the token, as it is stored.
    var lifetime = Provider.lifetimeWhenUnnamed
    /// nil: the old one stays.
    var refreshToken: String?
    var testDescription: String { name }
  }

  static let tokens = [
    Answer(
      name: "no refresh_token", response: .json(200, #"{"access_token":"new","expires_in":600}"#), lifetime: .seconds(600)),
    Answer(
      name: "no expires_in", response: .json(200, #"{"access_token":"new","refresh_token":"alice/9"}"#),
      refreshToken: "alice/9"),
    Answer(
      name: "expires_in as a string", response: .json(200, #"{"access_token":"new","expires_in":"600"}"#),
      lifetime: .seconds(600)),
    Answer(
      name: "form-encoded",
      response: ProviderResponse(
        status: 200, contentType: "application/x-www-form-urlencoded",
        body: Secret("access_token=new&refresh_token=alice%2F9&expires_in=600")),
      lifetime: .seconds(600), refreshToken: "alice/9"),
  ]

  @Test("a token is one however it is written, and all instances get it", arguments: tokens, [1, 4])
  func token(_ answer: Answer, _ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      fleet.provider.script(answer.response)
      #expect(await fleet.ask(40) == [.success("Bearer new"): 40])
      #expect(fleet.provider.callCount == 1)
      for broker in fleet.brokers { await broker.shutdown() }
      let stored = try #require(try await fleet.store.connection(Fleet.key())?.credential)
      let record = try #require(CredentialSealer(ring: Fleet.ring).open(stored, of: Fleet.key()))
      #expect(record.refreshToken == Secret(answer.refreshToken ?? "alice/0"))
      #expect(record.expiresAt - record.obtainedAt == answer.lifetime)
    }
  }

  static let failures: [Answer] = [
    Answer(name: "200 without a token", response: .json(200, "{}")), Answer(name: "HTML", response: .json(200, "<html>")),
    Answer(name: "408", response: .json(408, "")), Answer(name: "425", response: .json(425, "")),
    Answer(
      name: "429 with Retry-After",
      response: ProviderResponse(status: 429, contentType: nil, retryAfter: "1", body: Secret(""))),
    Answer(name: "500", response: .json(500, "")),
    Answer(name: "invalid_client", response: .json(401, #"{"error":"invalid_client"}"#)),
    Answer(name: "invalid_scope", response: .json(400, #"{"error":"invalid_scope"}"#)),
  ]

  @Test("what is no token leaves the connection as it was; who asks is told when to come back, and a later call brings a token", arguments: failures, [1, 4])
  func transient(_ answer: Answer, _ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      fleet.provider.script(answer.response)
      guard case .failure(let failure) = await fleet.brokers[0].answer(Fleet.key()) else {
        Issue.record("a token out of nothing")
        return
      }
      #expect(failure.retryAfter != nil)
      #expect(try await fleet.state() == .active)
      // All hear the failure, or wait for the pause to end.
      var answers: Set<Result<String, BrokerFailure>> = []
      for _ in 0..<2000 where answers != [.success("Bearer access-alice/1-2")] {
        answers = Set(await fleet.ask(count).keys)
        await instances[0].loops[0].sleep(for: .milliseconds(10))
      }
      #expect(answers == [.success("Bearer access-alice/1-2")])
      #expect(fleet.provider.callCount == 2)
    }
  }

  @Test("invalid_grant alone ends in needs_reauth: for all, and after one call", arguments: [1, 4])
  func invalidGrant(_ count: Int) async throws {
    try await withInstances(count) { instances in
      let fleet = Fleet(instances, rotation: .strict)
      try await fleet.connect()
      fleet.provider.script(.json(400, #"{"error":"invalid_grant"}"#))
      #expect(await fleet.ask(40) == [.failure(.needsReauthentication(.refreshTokenRefused)): 40])
      #expect(await fleet.ask(40) == [.failure(.needsReauthentication(.refreshTokenRefused)): 40])
      #expect(fleet.provider.callCount == 1)
      #expect(try await fleet.state() == .needsReauthentication(.refreshTokenRefused))
    }
  }
}
