import Cryptography
import OAuthCore
import PosternTesting
import Testing

@Suite struct HandleMintTests {
  private let random = SeededRandom()
  private let now = Timestamp(seconds: 1_750_000_000)

  private func ring(_ active: String, _ ids: String...) throws -> KeyRing {
    try KeyRing(
      active: active, keys: ids.map { ($0, Secret(bytes: SHA256.digest($0).bytes)) })
  }

  private func bytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    Array(text.utf8).withUnsafeBytes(body)
  }

  @Test(
    "A handle comes back as it was made: prefix, 75 characters, same locator and secret", arguments: HandleKind.allCases
  )
  func roundTrip(_ kind: HandleKind) throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let handle = mint.make(kind, at: now)
    let text = mint.text(of: handle)
    #expect(text.hasPrefix(kind.rawValue + "_"))
    #expect(text.utf8.count == HandleLayout.textByteCount)
    let parsed = try #require(mint.parse(text, kind))
    #expect(parsed.locator == handle.locator)
    #expect(parsed.secret == handle.secret)
    #expect(parsed.keyID == "k1")
    #expect(handle.locator.createdAt == now)
    let fast = try #require(bytes(text) { HandleLayout.locatorAndHash($0, kind) })
    #expect(fast.0 == handle.locator)
    #expect(fast.1 == handle.secretHash)
  }

  @Test("A handle of one kind is none of another")
  func kinds() throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let text = mint.text(of: mint.make(.accessToken, at: now))
    for kind in HandleKind.allCases where kind != .accessToken {
      #expect(mint.parse(text, kind) == nil)
      #expect(mint.parse(kind.rawValue + text.dropFirst(3), kind) == nil)
    }
  }

  @Test("Any changed, missing or added character makes a handle a forgery")
  func forgeries() throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let text = Array(mint.text(of: mint.make(.refreshToken, at: now)).utf8)
    for index in text.indices {
      for replacement in Array("A_-z= %".utf8) where replacement != text[index] {
        var forged = text
        forged[index] = replacement
        #expect(mint.parse(String(decoding: forged, as: UTF8.self), .refreshToken) == nil)
        #expect(!forged.withUnsafeBytes { mint.verifyTag($0, .refreshToken) })
      }
    }
    #expect(mint.parse(String(decoding: text.dropLast(), as: UTF8.self), .refreshToken) == nil)
    #expect(mint.parse(String(decoding: text, as: UTF8.self) + "A", .refreshToken) == nil)
    #expect(mint.parse("", .refreshToken) == nil)
  }

  @Test("The fast path takes no other spelling of a handle")
  func canonical() throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let text = mint.text(of: mint.make(.accessToken, at: now))
    // The last character carries four bits: its other spellings would be other keys of a cache.
    for last in "BCDEFGHIJKLMNOPQRSTUVWXYZ" {
      let other = text.dropLast() + String(last)
      let isSame = bytes(String(other)) { HandleLayout.locatorAndHash($0, .accessToken) } != nil
      #expect(isSame == ["E", "I", "M", "Q", "U", "Y"].contains(last))
    }
  }

  @Test("Random bytes are never a handle and never a trap", arguments: 0..<16)
  func fuzz(_ seed: Int) throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let random = SeededRandom(seed: UInt64(seed))
    let alphabet = Array("ABCabc012-_=. ".utf8) + [0, 0x80, 0xff]
    for _ in 0..<200 {
      let count = random.next() % 2 == 0 ? 75 : Int(random.next() % 100)
      let bytes = Array("pat_".utf8) + random.bytes(count).map { alphabet[Int($0) % alphabet.count] }
      bytes.withUnsafeBytes { bytes in
        #expect(mint.parse(bytes, .accessToken) == nil)
        #expect(!mint.verifyTag(bytes, .accessToken))
      }
    }
  }

  @Test("While keys rotate, handles of the old key are read, and those of a removed key are not")
  func rotation() throws {
    let old = HandleMint(ring: try ring("k1", "k1"), random: random)
    let text = old.text(of: old.make(.accessToken, at: now))
    let rotated = HandleMint(ring: try ring("k2", "k2", "k1"), random: random)
    #expect(rotated.parse(text, .accessToken)?.keyID == "k1")
    let finished = HandleMint(ring: try ring("k2", "k2"), random: random)
    #expect(finished.parse(text, .accessToken) == nil)
  }

  @Test("A refresh token has one successor, also after the active key changed")
  func successor() throws {
    let old = HandleMint(ring: try ring("k1", "k1"), random: random)
    let text = old.text(of: old.make(.refreshToken, at: now))
    let presented = try #require(old.parse(text, .refreshToken))
    let answered = old.text(of: old.successor(of: presented))
    #expect(answered != text)

    let rotated = HandleMint(ring: try ring("k2", "k2", "k1"), random: SeededRandom(seed: 99))
    let again = try #require(rotated.parse(text, .refreshToken))
    #expect(rotated.text(of: rotated.successor(of: again)) == answered)
    #expect(rotated.parse(answered, .refreshToken)?.locator == presented.locator)

    let other = old.make(.refreshToken, at: now)
    #expect(old.successor(of: other).secret != old.successor(of: presented).secret)
  }

  @Test("A handle prints no secret")
  func redacted() throws {
    let mint = HandleMint(ring: try ring("k1", "k1"), random: random)
    let handle = mint.make(.accessToken, at: now)
    var dumped = ""
    dump(handle, to: &dumped)
    let secret = Base64URL.encode(handle.secret.exposedBytes)
    #expect(!"\(handle) \(String(reflecting: handle)) \(dumped)".contains(secret))
    #expect("\(handle)".contains("<redacted>"))
  }
}
