import Cryptography
import OAuthCore
import Testing

@Suite struct ProofKeyTests {
  @Test("RFC 7636 appendix B: the example verifies")
  func example() throws {
    let challenge = try #require(ProofKey.Challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
    #expect(ProofKey.verify(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge))
    #expect(!ProofKey.verify(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"), challenge))
    #expect(!ProofKey.verify(Secret("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), challenge))
    #expect(!ProofKey.verify(Secret(""), challenge))
  }

  @Test(
    "RFC 7636 §4.2: a challenge is 43 characters of canonical base64url",
    arguments: [
      "", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=",
      "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN",
    ])
  func malformedChallenge(_ text: String) {
    #expect(ProofKey.Challenge(text) == nil)
  }

  @Test("RFC 7636 §4.1: a verifier is 43 to 128 unreserved characters")
  func verifiers() {
    #expect(ProofKey.isVerifier(String(repeating: "a", count: 43)))
    #expect(ProofKey.isVerifier(String(repeating: "~", count: 128)))
    #expect(!ProofKey.isVerifier(String(repeating: "a", count: 42)))
    #expect(!ProofKey.isVerifier(String(repeating: "a", count: 129)))
    #expect(!ProofKey.isVerifier(String(repeating: "+", count: 43)))
    #expect(!ProofKey.isVerifier(String(repeating: "\u{e9}", count: 43)))
  }
}
