import Foundation
import Testing

/// One malformed request and the answer that RFC 6749 §5.2 asks for.
struct BadInput: Sendable, CustomTestStringConvertible {
  let name: String
  let status: Int
  let error: String
  var body = ""
  var target = "/oauth/token"
  var type: String? = "application/x-www-form-urlencoded"
  var authenticates = true
  var testDescription: String { name }

  static let all: [BadInput] = [
    BadInput(name: "no grant type", status: 400, error: "invalid_request", body: "scope=photos.read"),
    BadInput(name: "repeated grant type", status: 400, error: "invalid_request", body: "grant_type=client_credentials&grant_type=client_credentials"),
    BadInput(name: "repeated scope", status: 400, error: "invalid_request", body: "grant_type=client_credentials&scope=photos.read&scope=photos.read"),
    BadInput(name: "unknown grant", status: 400, error: "unsupported_grant_type", body: "grant_type=urn:nobody:knows"),
    BadInput(name: "password", status: 400, error: "unsupported_grant_type", body: "grant_type=password&username=alice&password=x"),
    BadInput(name: "implicit", status: 400, error: "unsupported_grant_type", body: "grant_type=implicit"),
    BadInput(name: "JSON body", status: 400, error: "invalid_request", body: "{\"grant_type\":\"client_credentials\"}", type: "application/json"),
    BadInput(name: "no content type", status: 400, error: "invalid_request", body: "grant_type=client_credentials", type: nil),
    BadInput(name: "bad percent-encoding", status: 400, error: "invalid_request", body: "grant_type=client_credentials&scope=%zz"),
    BadInput(name: "truncated percent-encoding", status: 400, error: "invalid_request", body: "grant_type=client_credentials&scope=%2"),
    BadInput(name: "NUL", status: 400, error: "invalid_request", body: "grant_type=client_credentials&scope=a%00b"),
    BadInput(name: "not UTF-8", status: 400, error: "invalid_request", body: "grant_type=client_credentials&scope=%ff%fe"),
    BadInput(name: "unknown scope", status: 400, error: "invalid_scope", body: "grant_type=client_credentials&scope=everything"),
    BadInput(name: "credentials in the URL", status: 400, error: "invalid_request", body: "grant_type=client_credentials", target: "/oauth/token?client_id=nightly-report&client_secret=x", authenticates: false),
    BadInput(name: "two authentication methods", status: 400, error: "invalid_request", body: "grant_type=client_credentials&client_id=nightly-report&client_secret=x"),
    BadInput(name: "no client", status: 401, error: "invalid_client", body: "grant_type=client_credentials", authenticates: false),
    BadInput(name: "empty body", status: 400, error: "invalid_request"),
  ]
}

extension SystemTests {
  @Test("RFC 6749 §5.2: every malformed token request gets its exact error, never 5xx, never cached")
  func malformedRequests() throws {
    let deployment = try Deployment()
    for input in BadInput.all {
      var fields = input.authenticates ? deployment.nightlyReport : [:]
      fields["Content-Type"] = input.type
      let answer = try HTTPClient.send("POST", port: deployment.port, input.target, fields: fields, body: input.body)
      #expect(answer.status == input.status, "\(input.name): \(answer.text)")
      #expect(answer.error == input.error, "\(input.name): \(answer.text)")
      #expect(answer.field("Cache-Control") == "no-store", "\(input.name)")
    }
  }

  @Test("A megabyte of & is refused, cheaply and for good")
  func megabyteOfAmpersands() throws {
    let deployment = try Deployment()
    var fields = deployment.nightlyReport
    fields["Content-Type"] = "application/x-www-form-urlencoded"
    let answer = try HTTPClient.send(
      "POST", port: deployment.port, "/oauth/token", fields: fields, body: String(repeating: "&", count: 1 << 20))
    #expect([400, 413].contains(answer.status))
    #expect(try deployment.serviceToken().hasPrefix("pat_"))
  }
}
