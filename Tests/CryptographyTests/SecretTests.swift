import Testing

@testable import Cryptography

@Suite("Secret")
struct SecretTests {
  let secret = Secret("hunter2")

  @Test("A secret prints, debugs, mirrors and dumps as nothing but <redacted>")
  func redaction() {
    var dumped = ""
    dump(["nested": [secret]], to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), String(describing: [secret]), dumped] {
      #expect(!text.contains("hunter2"))
      #expect(!text.contains("104"))
    }
    #expect("\(secret)" == "<redacted>")
  }

  @Test("Secrets are equal by all their bytes")
  func equality() {
    #expect(secret == Secret(bytes: ascii("hunter2")))
    #expect(secret != Secret("hunter3"))
    #expect(secret != Secret("hunter"))
    #expect(Secret("") == Secret(bytes: []))
  }
}
