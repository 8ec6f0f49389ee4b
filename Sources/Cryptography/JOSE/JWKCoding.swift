import JSON

extension JWK {
  public init(parsing bytes: [UInt8]) throws(JWKError) {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch { throw .malformed(error.description) }
    guard let object = json.object else { throw .malformed("not an object") }
    try self.init(object)
  }

  /// Reads a key; members that we do not know are ignored (RFC 7517 §4).
  public init(_ object: JSONObject) throws(JWKError) {
    let id = try object.optionalText("kid")
    let material = try Material(object)
    let name = try object.optionalText("alg")
    guard let algorithm = material.algorithms.first(where: { name == nil || $0.rawValue == name }) else { throw .notForSignatures }
    self.init(id: id, material: material, algorithm: algorithm)
    if let use = try object.optionalText("use"), use != "sig" { throw .notForSignatures }
    if let operations = object["key_ops"] {
      guard let operations = operations.strings else { throw .malformedMember("key_ops") }
      guard operations.contains("verify") || operations.contains("sign") else { throw .notForSignatures }
    }
  }

  /// The public key, for publishing: `kty`, its numbers, `use`, `alg`, `kid`.
  public var publicJSON: JSONObject {
    var object = publicMembers
    object["use"] = "sig"
    object["alg"] = .string(algorithm.rawValue)
    if let id { object["kid"] = .string(id) }
    return object
  }

  /// The key with its private half in clear, for sealing into the store. The name is long so that every use is seen in
  /// review.
  public var exposedPrivateJSON: JSONObject {
    var object = publicJSON
    if let privateKey { object["d"] = .string(Base64URL.encode(privateKey.exposedBytes)) }
    return object
  }

  /// What identifies the key, and nothing else.
  var publicMembers: JSONObject {
    switch material {
    case .p256(let x, let y, _):
      ["kty": "EC", "crv": "P-256", "x": .string(Base64URL.encode(x)), "y": .string(Base64URL.encode(y))]
    case .p384(let x, let y):
      ["kty": "EC", "crv": "P-384", "x": .string(Base64URL.encode(x)), "y": .string(Base64URL.encode(y))]
    case .ed25519(let x, _):
      ["kty": "OKP", "crv": "Ed25519", "x": .string(Base64URL.encode(x))]
    case .rsa(let modulus, let exponent):
      ["kty": "RSA", "n": .string(Base64URL.encode(modulus)), "e": .string(Base64URL.encode(exponent))]
    }
  }
}

extension JWK.Material {
  fileprivate init(_ object: JSONObject) throws(JWKError) {
    switch try object.text("kty") {
    case "EC":
      switch try object.text("crv") {
      case "P-256": self = .p256(x: try object.octets("x"), y: try object.octets("y"), d: try object.optionalSecret("d"))
      case "P-384": self = .p384(x: try object.octets("x", count: 48), y: try object.octets("y", count: 48))
      default: throw .unsupportedCurve
      }
    case "OKP":
      guard try object.text("crv") == "Ed25519" else { throw .unsupportedCurve }
      self = .ed25519(x: try object.octets("x"), d: try object.optionalSecret("d"))
    case "RSA":
      self = .rsa(modulus: try object.unsignedInteger("n"), exponent: try object.unsignedInteger("e"))
    default: throw .unsupportedKeyType
    }
  }
}

extension JSONObject {
  fileprivate func optionalText(_ name: String) throws(JWKError) -> String? {
    guard let value = self[name] else { return nil }
    guard let text = value.string else { throw .malformedMember(name) }
    return text
  }

  fileprivate func text(_ name: String) throws(JWKError) -> String {
    guard let text = try optionalText(name) else { throw .malformedMember(name) }
    return text
  }

  /// The length is fixed, leading zeros included. Source: RFC 7518 §6.2.1.2; RFC 8037 §2.
  fileprivate func octets(_ name: String, count: Int = 32) throws(JWKError) -> [UInt8] {
    guard let octets = Base64URL.decode(try text(name)), octets.count == count else { throw .malformedMember(name) }
    return octets
  }

  fileprivate func optionalSecret(_ name: String) throws(JWKError) -> Secret? {
    self[name] == nil ? nil : Secret(bytes: try octets(name))
  }

  /// Base64urlUInt: big-endian, no byte more than needed. Source: RFC 7518 §2.
  fileprivate func unsignedInteger(_ name: String) throws(JWKError) -> [UInt8] {
    guard let octets = Base64URL.decode(try text(name)), let first = octets.first, first != 0 else {
      throw .malformedMember(name)
    }
    return octets
  }
}
