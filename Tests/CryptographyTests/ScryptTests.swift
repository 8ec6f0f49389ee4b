import Testing

@testable import Cryptography

@Suite("scrypt")
struct ScryptTests {
  @Test("RFC 7914 §12: the keys of the standard's test vectors", arguments: [
    (
      "", "", 4, 1, 1,
      """
      77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442
      fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906
      """
    ),
    (
      "password", "NaCl", 10, 8, 16,
      """
      fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162
      2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640
      """
    ),
    (
      "pleaseletmein", "SodiumChloride", 14, 8, 1,
      """
      7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2
      d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887
      """
    ),
  ])
  func knownAnswers(password: String, salt: String, logN: Int, r: Int, p: Int, key: String) throws {
    let cost = try #require(Scrypt.Cost(logN: logN, r: r, p: p))
    #expect(Scrypt.derive(password: Secret(password), salt: ascii(salt), cost: cost, byteCount: 64) == hex(key))
  }

  @Test("A hash verifies its password and no other, and is salted")
  func roundTrip() {
    let phc = Scrypt.hash(password: Secret("correct horse"), logN: 8)
    #expect(phc.hasPrefix("$scrypt$ln=8,r=8,p=1$"))
    #expect(Scrypt.isWellFormed(phc))
    #expect(Scrypt.verify(password: Secret("correct horse"), phc: phc))
    #expect(!Scrypt.verify(password: Secret("correct horsf"), phc: phc))
    #expect(!Scrypt.verify(password: Secret(""), phc: phc))
    #expect(Scrypt.hash(password: Secret("correct horse"), logN: 8) != phc)
  }

  @Test("PHC format: a hash of a stranger verifies")
  func stranger() {
    // Python: hashlib.scrypt(b'correct horse', salt=b'0123456789abcdef', n=256, r=8, p=1, dklen=32)
    #expect(Scrypt.verify(password: Secret("correct horse"), phc: Self.phc))
  }

  static let salt = "MDEyMzQ1Njc4OWFiY2RlZg"
  static let hash = "knxRm35dupm1cZnWH3ri1ioyXJhI0VgdAmDZDrQX5lw"
  static let phc = "$scrypt$ln=8,r=8,p=1$\(salt)$\(hash)"

  @Test("PHC format: anything but the canonical form is refused", arguments: [
    "", "$scrypt$", "scrypt$ln=8,r=8,p=1$\(salt)$\(hash)", "$argon2id$ln=8,r=8,p=1$\(salt)$\(hash)",
    "$scrypt$ln=8,r=8$\(salt)$\(hash)", "$scrypt$r=8,ln=8,p=1$\(salt)$\(hash)", "$scrypt$ln=08,r=8,p=1$\(salt)$\(hash)",
    "$scrypt$ln=+8,r=8,p=1$\(salt)$\(hash)", "$scrypt$ln=8,r=8,p=1,x=1$\(salt)$\(hash)",
    "$scrypt$ln=8,r=8,p=1$\(salt)==$\(hash)", "$scrypt$ln=8,r=8,p=1$\(salt)$\(hash)=", "$scrypt$ln=8,r=8,p=1$\(salt)",
    "$scrypt$ln=8,r=8,p=1$\(salt)$\(hash)$", "$scrypt$ln=8,r=8,p=1$$\(hash)", "$scrypt$ln=8,r=8,p=1$\(salt)$",
    "$scrypt$ln=8,r=8,p=1$\(salt)$AAAA", " $scrypt$ln=8,r=8,p=1$\(salt)$\(hash)",
  ])
  func malformed(phc: String) {
    #expect(!Scrypt.isWellFormed(phc))
    #expect(!Scrypt.verify(password: Secret("correct horse"), phc: phc))
  }

  @Test("Costs that would stop the server are refused", arguments: [
    "ln=18,r=8,p=1", "ln=63,r=8,p=1", "ln=99,r=8,p=1", "ln=14,r=99,p=1", "ln=14,r=8,p=99", "ln=17,r=8,p=2", "ln=0,r=8,p=1",
    "ln=8,r=0,p=1", "ln=8,r=8,p=0", "ln=16,r=1,p=1", "ln=99999999999999999999,r=8,p=1", "ln=-1,r=8,p=1",
  ])
  func absurdCosts(costs: String) {
    #expect(!Scrypt.isWellFormed("$scrypt$\(costs)$\(Self.salt)$\(Self.hash)"))
  }

  @Test("The strongest setting commonly recommended is accepted")
  func strongest() {
    #expect(Scrypt.isWellFormed("$scrypt$ln=17,r=8,p=1$\(Self.salt)$\(Self.hash)"))
  }

  @Test("A hash does not show in a description")
  func redacted() throws {
    let phc = try #require(Scrypt.PHC(Self.phc))
    #expect(!"\(phc)".contains(Self.hash))
    #expect(phc.text == Self.phc)
  }
}
