import COpenSSL

/// A key as libcrypto holds it.
final class KeyHandle: @unchecked Sendable {
  // SAFETY: the key is complete when it gets here and is never changed; libcrypto counts its references atomically and
  // lets any number of threads sign and verify with it (OpenSSL 3 crypto(7) and EVP_PKEY_new(3)).
  let pointer: OpaquePointer

  private init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { EVP_PKEY_free(pointer) }

  /// Builds and checks a key: points are on the curve, RSA sizes are acceptable, a private half fits its public half.
  ///
  /// - Parameter withPrivateKey: whether the private half is wanted.
  convenience init(_ jwk: JWK, withPrivateKey: Bool) throws(JWKError) {
    if withPrivateKey, jwk.privateKey == nil { throw .noPrivateKey }
    defer { ERR_clear_error() }
    let made: OpaquePointer? =
      switch jwk.material {
      case .p256(let x, let y, let d): Self.point(on: "P-256", x: x, y: y, d: withPrivateKey ? d : nil)
      case .p384(let x, let y): Self.point(on: "P-384", x: x, y: y, d: nil)
      case .ed25519(let x, let d): Self.ed25519(x: x, d: withPrivateKey ? d : nil)
      case .rsa(let modulus, let exponent): try Self.rsa(modulus: modulus, exponent: exponent)
      }
    guard let made else { throw .inconsistent }
    self.init(made)
  }

  /// Makes a key pair.
  static func generate(_ algorithm: SigningAlgorithm) -> KeyHandle {
    let context = required(EVP_PKEY_CTX_new_from_name(nil, algorithm == .es256 ? "EC" : "ED25519", nil))
    defer { EVP_PKEY_CTX_free(context) }
    require(EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init")
    if algorithm == .es256 { require(EVP_PKEY_CTX_set_group_name(context, "P-256"), "EVP_PKEY_CTX_set_group_name") }
    var key: OpaquePointer?
    require(EVP_PKEY_generate(context, &key), "EVP_PKEY_generate")
    return KeyHandle(required(key))
  }

  /// Both halves of a key that `generate` made.
  func material(_ algorithm: SigningAlgorithm) -> JWK.Material {
    switch algorithm {
    case .es256:
      var point = [UInt8](repeating: 0, count: 65)
      var count = 0
      require(
        EVP_PKEY_get_octet_string_param(pointer, "pub", &point, point.count, &count), "EVP_PKEY_get_octet_string_param")
      precondition(count == 65 && point[0] == 4, "libcrypto gives P-256 points uncompressed")
      var number: OpaquePointer?
      require(EVP_PKEY_get_bn_param(pointer, "priv", &number), "EVP_PKEY_get_bn_param")
      defer { BN_clear_free(number) }
      var d = [UInt8](repeating: 0, count: 32)
      let written = BN_bn2binpad(number, &d, 32)
      precondition(written == 32, "a P-256 private key has at most 32 bytes")
      return .p256(x: Array(point[1...32]), y: Array(point[33...]), d: Secret(bytes: d))
    case .edDSA:
      var x = [UInt8](repeating: 0, count: 32)
      var d = [UInt8](repeating: 0, count: 32)
      var count = 32
      require(EVP_PKEY_get_raw_public_key(pointer, &x, &count), "EVP_PKEY_get_raw_public_key")
      count = 32
      require(EVP_PKEY_get_raw_private_key(pointer, &d, &count), "EVP_PKEY_get_raw_private_key")
      return .ed25519(x: x, d: Secret(bytes: d))
    }
  }

  private static func point(on curve: StaticString, x: [UInt8], y: [UInt8], d: Secret?) -> OpaquePointer? {
    var parameters = Parameters()
    parameters.add("group", text: curve)
    parameters.add("pub", octets: [4] + x + y)
    if let d { parameters.add("priv", bigEndian: d.exposedBytes) }
    guard let key = fromParameters("EC", parameters, d == nil ? publicHalf : bothHalves) else { return nil }
    let context = required(EVP_PKEY_CTX_new_from_pkey(nil, key, nil))
    defer { EVP_PKEY_CTX_free(context) }
    guard EVP_PKEY_public_check(context) == 1, d == nil || EVP_PKEY_pairwise_check(context) == 1 else {
      EVP_PKEY_free(key)
      return nil
    }
    return key
  }

  private static func ed25519(x: [UInt8], d: Secret?) -> OpaquePointer? {
    guard x.count == 32 else { return nil }
    guard let d else { return EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, x, x.count) }
    guard let key = EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, d.exposedBytes, d.count) else { return nil }
    var derived = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard EVP_PKEY_get_raw_public_key(key, &derived, &count) == 1, derived == x else {
      EVP_PKEY_free(key)
      return nil
    }
    return key
  }

  /// At least 2048 bits (RFC 7518 §3.3); at most 8192, since the time to verify grows with the size.
  private static func rsa(modulus: [UInt8], exponent: [UInt8]) throws(JWKError) -> OpaquePointer? {
    let bitCount = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
    let publicExponent = exponent.count <= 4 ? exponent.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : 0
    guard (2048...8192).contains(bitCount), publicExponent >= 3, publicExponent % 2 == 1 else {
      throw .unacceptableRSAKey
    }
    var parameters = Parameters()
    parameters.add("n", bigEndian: modulus)
    parameters.add("e", bigEndian: exponent)
    return fromParameters("RSA", parameters, publicHalf)
  }

  // What `EVP_PKEY_PUBLIC_KEY` and `EVP_PKEY_KEYPAIR` stand for; Swift does not import the compound macros.
  private static let publicHalf =
    OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS | OSSL_KEYMGMT_SELECT_OTHER_PARAMETERS | OSSL_KEYMGMT_SELECT_PUBLIC_KEY
  private static let bothHalves = publicHalf | OSSL_KEYMGMT_SELECT_PRIVATE_KEY

  private static func fromParameters(
    _ type: StaticString, _ parameters: borrowing Parameters, _ selection: Int32
  ) -> OpaquePointer? {
    let context = required(EVP_PKEY_CTX_new_from_name(nil, type.cString, nil))
    defer { EVP_PKEY_CTX_free(context) }
    require(EVP_PKEY_fromdata_init(context), "EVP_PKEY_fromdata_init")
    var key: OpaquePointer?
    let status = parameters.withList { EVP_PKEY_fromdata(context, &key, selection, $0) }
    guard status == 1 else {
      EVP_PKEY_free(key)
      return nil
    }
    return key
  }
}
