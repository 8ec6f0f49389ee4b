import Cryptography
import Testing

@testable import Broker

struct TokenResponseTests {
  private func failure(_ response: ProviderResponse) -> TokenEndpointFailure? {
    do throws(TokenEndpointFailure) {
      _ = try TokenResponse(reading: response)
      return nil
    } catch {
      return error
    }
  }

  @Test("RFC 9110 §15: statuses that say 'later' are transient, whatever the body says", arguments: [408, 425, 429, 500, 502, 503, 504, 599])
  func later(status: Int) {
    let response = ProviderResponse.json(status, #"{"error":"invalid_client"}"#, retryAfter: "7")
    #expect(failure(response) == .transient(.status(status), retryAfter: .seconds(7)))
  }

  @Test("A redirect is not followed and gives no token", arguments: [301, 302, 303, 307, 308])
  func redirect(status: Int) {
    #expect(failure(.json(status, #"{"access_token":"a"}"#)) == .transient(.status(status), retryAfter: nil))
  }

  @Test(
    "RFC 6749 §5.2: error codes are the provider's refusal",
    arguments: [
      ("invalid_client", ProviderRefusal.invalidClient), ("invalid_grant", .invalidGrant),
      ("invalid_request", .invalidRequest), ("invalid_scope", .invalidScope), ("invalid_target", .invalidTarget),
      ("unauthorized_client", .unauthorizedClient), ("unsupported_grant_type", .unsupportedGrantType),
      ("quota_of_tuesdays", .other),
    ])
  func refusal(code: String, refusal: ProviderRefusal) {
    for status in [400, 401, 403] {
      #expect(failure(.json(status, #"{"error":"\#(code)","error_description":"no"}"#)) == .refused(refusal))
    }
  }

  @Test("An error inside a 200 is an error")
  func errorInsideSuccess() {
    #expect(failure(.json(200, #"{"error":"invalid_client"}"#)) == .refused(.invalidClient))
    #expect(failure(.json(200, #"{"error":"invalid_scope","access_token":"a"}"#)) == .refused(.invalidScope))
    let form = ProviderResponse(status: 200, contentType: "application/x-www-form-urlencoded", body: Secret("error=invalid_client"))
    #expect(failure(form) == .refused(.invalidClient))
  }

  @Test("Announced trouble is transient", arguments: ["temporarily_unavailable", "server_error", "slow_down"])
  func announced(code: String) {
    #expect(failure(.json(400, #"{"error":"\#(code)"}"#)) == .transient(.announced, retryAfter: nil))
  }

  @Test("An error page in front of the token endpoint is transient, not a dead connection", arguments: [200, 400, 401, 403, 404])
  func html(status: Int) {
    let page = Secret("<html>access_token=a</html>")
    let named = ProviderResponse(status: status, contentType: "text/html; charset=utf-8", body: page)
    #expect(failure(named) == .transient(.html(status: status), retryAfter: nil))
    let unnamed = ProviderResponse(status: status, body: Secret("\n <!doctype html>"))
    #expect(failure(unnamed) == .transient(.html(status: status), retryAfter: nil))
  }

  @Test("RFC 6749 §5.2: a 401 without words still means the client; other client errors are refusals")
  func wordless() {
    #expect(failure(ProviderResponse(status: 401, body: Secret(""))) == .refused(.invalidClient))
    #expect(failure(.json(404, #"{"message":"not found"}"#)) == .refused(.other))
  }

  @Test(
    "RFC 6749 §5.1: a 200 without a usable access_token is transient",
    arguments: [
      "", "{}", "[]", "null", "{", #"{"access_token":""}"#, #"{"access_token":null}"#, #"{"access_token":7}"#,
      #"{"access_token":"a b"}"#, #"{"access_token":"a\r\nX: y"}"#, #"{"access_token":"é"}"#, "access_token=%zz",
      "access_token=a&access_token=b", "plain words",
    ])
  func malformed(body: String) {
    #expect(failure(.json(200, body)) == .transient(.malformed, retryAfter: nil))
  }

  @Test("A token longer than any header section is not taken")
  func longToken() {
    let longest = String(repeating: "a", count: 16 * 1024)
    #expect(failure(.token(longest)) == nil)
    #expect(failure(.token(longest + "a")) == .transient(.malformed, retryAfter: nil))
  }

  @Test("RFC 6749 §7.1: a token of a type that is not understood is not used")
  func tokenType() {
    #expect(failure(.json(200, #"{"access_token":"a","token_type":"mac"}"#)) == .refused(.unsupportedTokenType))
    #expect(failure(.json(200, #"{"access_token":"a","token_type":"bEARER"}"#)) == nil)
    #expect(failure(.json(200, #"{"access_token":"a"}"#)) == nil)
  }

  @Test(
    "RFC 6749 §5.1: expires_in is read as a number or a number in a string; anything else is as if absent",
    arguments: [
      ("3600", 3600), (#""3600""#, 3600), ("3599.9", 3599), ("1e3", 1000), ("9e99", 366 * 86_400),
      ("0", nil), ("-5", nil), ("null", nil), ("true", nil), (#""soon""#, nil), (#""nan""#, nil), (#""inf""#, nil),
    ] as [(String, Int64?)])
  func expiry(written: String, seconds: Int64?) throws {
    let response = ProviderResponse.json(200, #"{"access_token":"a","expires_in":\#(written)}"#)
    #expect(try TokenResponse(reading: response).lifetime == seconds.map { .seconds($0) })
  }

  @Test("An answer in form encoding is read")
  func formEncoded() throws {
    let response = ProviderResponse(
      status: 200, contentType: "application/x-www-form-urlencoded",
      body: Secret("access_token=a%2Bb&expires_in=60&token_type=bearer&scope="))
    #expect(try TokenResponse(reading: response) == TokenResponse(accessToken: Secret("a+b"), lifetime: .seconds(60)))
  }

  @Test("RFC 9110 §10.2.3: Retry-After in seconds is bounded; a date and rubbish are as if absent")
  func retryAfter() {
    #expect(RetryAfter.seconds("0") == .zero)
    #expect(RetryAfter.seconds("30") == .seconds(30))
    #expect(RetryAfter.seconds("99999999999999999999999") == RetryAfter.max)
    for value in ["", "-1", "1.5", "Fri, 31 Dec 1999 23:59:59 GMT", "١"] { #expect(RetryAfter.seconds(value) == nil) }
    #expect(RetryAfter.seconds(nil) == nil)
  }

  @Test("A failure describes itself without the provider's words")
  func silence() throws {
    let failure = try #require(self.failure(.json(400, #"{"error":"tok-3n","error_description":"tok-3n"}"#)))
    #expect(!String(reflecting: failure).contains("tok-3n"))
  }
}
