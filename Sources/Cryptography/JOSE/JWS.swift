import JSON

/// A JSON Web Signature in the compact form, verified. Source: RFC 7515 §3.1.
struct JWS: Sendable {
  /// Longest compact text that is looked at, in bytes; what a request head can hold.
  static let byteCountMax = 16 * 1024

  let header: Header
  let payload: [UInt8]

  /// The protected header. Source: RFC 7515 §4.1.
  struct Header: Sendable, Hashable {
    let algorithm: SignatureAlgorithm
    /// `kid`.
    let keyID: String?
    /// `typ`.
    let type: String?
    /// All members as written. `jwk`, `jku`, `x5u` and `x5c` have no meaning here: a token never brings its own key.
    let members: JSONObject
  }

  /// Signs a payload.
  ///
  /// - Parameter type: `typ`, e.g. `at+jwt`.
  static func sign(_ payload: [UInt8], type: String?, with key: SigningKey) -> String {
    var header: JSONObject = ["alg": .string(key.algorithm.rawValue)]
    if let type { header["typ"] = .string(type) }
    header["kid"] = .string(key.id)
    let input = "\(Base64URL.encode(header.bytes)).\(Base64URL.encode(payload))"
    return "\(input).\(Base64URL.encode(key.sign(Array(input.utf8))))"
  }

  /// Verifies a compact JWS against the keys of one issuer.
  ///
  /// - Throws: `JWSError`, by the first check that fails: form, algorithm, `crit`, key, signature.
  static func verify(_ compact: String, with keys: VerificationKeySet) throws(JWSError) -> JWS {
    let parsed = try CompactJWS(Array(compact.utf8))
    let header = try parsed.header
    _ = try parsed.verify(header, with: keys)
    return JWS(header: header, payload: parsed.payload)
  }
}

/// A compact JWS taken apart; nothing in it may be believed.
struct CompactJWS: Sendable {
  /// Of the protected header, as written.
  let headerMembers: JSONObject
  let payload: [UInt8]
  let signature: [UInt8]
  /// ASCII(BASE64URL(header) ‖ '.' ‖ BASE64URL(payload)). Source: RFC 7515 §5.2 step 8.
  let signingInput: [UInt8]

  init(_ compact: [UInt8]) throws(JWSError) {
    guard compact.count <= JWS.byteCountMax else { throw .malformed }
    let parts = compact.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3,
      let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2]),
      let members = try? JSON(parsing: header).object
    else { throw .malformed }
    headerMembers = members
    self.payload = payload
    self.signature = signature
    signingInput = Array(compact[..<parts[1].endIndex])
  }

  var header: JWS.Header {
    get throws(JWSError) { try JWS.Header(headerMembers) }
  }

  /// Keys that are tried for one signature. A header without `kid` leaves the choice open, and each try costs time.
  static let keysTriedMax = 4

  /// - Returns: the key that made the signature.
  func verify(_ header: JWS.Header, with keys: VerificationKeySet) throws(JWSError) -> VerificationKey {
    let candidates = keys.candidates(id: header.keyID, algorithm: header.algorithm)
    guard !candidates.isEmpty else { throw .unknownKey(id: header.keyID) }
    guard let key = candidates.prefix(Self.keysTriedMax).first(where: { $0.verifies(signature, of: signingInput) }) else {
      throw .badSignature
    }
    return key
  }
}

extension JWS.Header {
  fileprivate init(_ members: JSONObject) throws(JWSError) {
    guard let name = members["alg"]?.string, let algorithm = SignatureAlgorithm(rawValue: name) else {
      throw .unsupportedAlgorithm
    }
    // RFC 7515 §4.1.11: an extension that is not understood makes the JWS invalid.
    guard members["crit"] == nil else { throw .criticalHeader }
    for name in ["kid", "typ"] {
      guard members[name] == nil || members[name]?.string != nil else { throw .malformed }
    }
    self.init(algorithm: algorithm, keyID: members["kid"]?.string, type: members["typ"]?.string, members: members)
  }
}
