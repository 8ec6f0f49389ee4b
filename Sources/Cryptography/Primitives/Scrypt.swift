import COpenSSL

/// scrypt password hashes in PHC form: `$scrypt$ln=14,r=8,p=1$salt$hash`.
///
/// Hashing blocks for tens of milliseconds and takes 128·r·2^ln bytes: callers run it on a `WorkerPool`.
/// Source: RFC 7914; PHC string format (github.com/P-H-C/phc-string-format).
public enum Scrypt {
  static let saltByteCount = 16
  static let hashByteCount = 32

  /// Hashes a password under a fresh salt. The default costs take 16 MiB.
  public static func hash(password: Secret, logN: Int = 14, r: Int = 8, p: Int = 1) -> String {
    guard let cost = Cost(logN: logN, r: r, p: p) else { preconditionFailure("scrypt costs out of bounds") }
    let salt = SystemRandom().bytes(saltByteCount)
    guard let hash = derive(password: password, salt: salt, cost: cost, byteCount: hashByteCount) else {
      preconditionFailure("libcrypto failed in scrypt: out of memory")
    }
    return PHC(cost: cost, salt: salt, hash: Secret(bytes: hash)).text
  }

  /// Whether `phc` is the hash of `password`; false for what is not well formed or costs more than `Cost` allows.
  public static func verify(password: Secret, phc: String) -> Bool {
    guard let phc = PHC(phc),
      let hash = derive(password: password, salt: phc.salt, cost: phc.cost, byteCount: phc.hash.count)
    else { return false }
    return Secret(bytes: hash) == phc.hash
  }

  /// Whether `verify` could ever succeed with this text; for configuration and imports.
  public static func isWellFormed(_ phc: String) -> Bool { PHC(phc) != nil }

  static func derive(password: Secret, salt: [UInt8], cost: Cost, byteCount: Int) -> [UInt8]? {
    returnLargeBlocks()
    var parameters = Parameters()
    parameters.add("pass", octets: password.exposedBytes)
    parameters.add("salt", octets: salt)
    parameters.add("n", number: 1 << UInt64(cost.logN))
    parameters.add("r", number: UInt64(cost.r))
    parameters.add("p", number: UInt64(cost.p))
    parameters.add("maxmem_bytes", number: Cost.memoryByteCountMax)
    return deriveKey(Algorithms.scrypt, parameters, byteCount: byteCount)
  }
}

extension Scrypt {
  /// Makes malloc map blocks of 1 MiB and more on their own, for the whole process, so that they go back to the kernel
  /// when they are freed.
  ///
  /// Left to itself glibc raises that threshold to the largest block it saw freed, up to 32 MiB, and keeps such blocks: one
  /// sign-in would cost every worker thread 16 MiB for good. Other allocators (a preloaded one, AddressSanitizer's) say no
  /// and have ways of their own, so nobody looks at the answer. Source: mallopt(3), `M_MMAP_THRESHOLD`.
  private static func returnLargeBlocks() { _ = mallopt(M_MMAP_THRESHOLD, 1 << 20) }

  /// Cost parameters that we are willing to pay.
  struct Cost: Hashable, Sendable {
    /// N·r·p: the strongest of the settings commonly recommended (N = 2^17, r = 8, p = 1) and not more, so that an
    /// imported hash cannot stop the server. Memory stays under 128 MiB with it.
    static let workMax = 1 << 20
    /// Bytes libcrypto may take: 128·N·r, 128·r·p and some small change.
    static let memoryByteCountMax: UInt64 = 2 * 128 * UInt64(workMax)

    let logN: Int
    let r: Int
    let p: Int

    /// nil outside 1 ≤ r ≤ 32, 1 ≤ p ≤ 16, 1 ≤ logN < 16·r (RFC 7914 §6) and N·r·p ≤ 2^20.
    init?(logN: Int, r: Int, p: Int) {
      guard (1...32).contains(r), (1...16).contains(p), (1...20).contains(logN), logN < 16 * r,
        (1 << logN) * r * p <= Self.workMax
      else { return nil }
      (self.logN, self.r, self.p) = (logN, r, p)
    }
  }

  /// A password hash with all that is needed to check it.
  public struct PHC: Hashable, Sendable, CustomStringConvertible {
    let cost: Cost
    let salt: [UInt8]
    let hash: Secret

    init(cost: Cost, salt: [UInt8], hash: Secret) {
      (self.cost, self.salt, self.hash) = (cost, salt, hash)
    }

    /// Reads the canonical form only: members in order, decimal numbers without leading zeros, base64 without padding.
    ///
    /// - Returns: nil for other text, costs out of bounds, a salt outside 8 to 64 bytes or a hash outside 16 to 64.
    public init?(_ text: String) {
      let parts = text.split(separator: "$", omittingEmptySubsequences: false)
      guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
      let costs = parts[2].split(separator: ",", omittingEmptySubsequences: false)
      guard costs.count == 3,
        let logN = Self.number(costs[0], "ln="), let r = Self.number(costs[1], "r="),
        let p = Self.number(costs[2], "p="),
        let cost = Cost(logN: logN, r: r, p: p),
        let salt = decodeUnpadded(parts[3].utf8, .standard), (8...64).contains(salt.count),
        let hash = decodeUnpadded(parts[4].utf8, .standard), (16...64).contains(hash.count)
      else { return nil }
      self.init(cost: cost, salt: salt, hash: Secret(bytes: hash))
    }

    /// The whole text. It lets passwords be guessed offline, so it goes to the store and nowhere else.
    public var text: String {
      let salt = encodeUnpadded(salt, .standard)
      return "$scrypt$ln=\(cost.logN),r=\(cost.r),p=\(cost.p)$\(salt)$\(encodeUnpadded(hash.exposedBytes, .standard))"
    }

    public var description: String { "$scrypt$ln=\(cost.logN),r=\(cost.r),p=\(cost.p)$<redacted>" }

    private static func number(_ member: Substring, _ name: String) -> Int? {
      guard member.hasPrefix(name) else { return nil }
      let digits = member.dropFirst(name.count)
      guard (1...2).contains(digits.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits.first != "0"
      else { return nil }
      return Int(digits)
    }
  }
}
