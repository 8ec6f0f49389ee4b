import Cryptography

extension KeyPurpose {
  static let handleTag: KeyPurpose = "handle-tag"
  static let refreshSuccessor: KeyPurpose = "refresh-successor"
}

/// Makes, spells and reads handles.
public struct HandleMint: Sendable {
  /// Active first; copied from the ring, which never changes, so that a token costs no lock.
  private let tagKeys: [(id: String, key: Secret)]
  private let successorKeys: [(id: String, key: Secret)]
  private let random: any RandomSource

  public init(ring: KeyRing, random: any RandomSource) {
    tagKeys = ring.all(purpose: .handleTag)
    successorKeys = ring.all(purpose: .refreshSuccessor)
    self.random = random
  }

  // MARK: Making

  /// A fresh locator, for what is not a handle itself.
  public func locator(at now: Timestamp) -> Locator { Locator(createdAt: now, randomness: random.words()) }

  /// A fresh handle.
  public func make(_ kind: HandleKind, at now: Timestamp) -> Handle { make(kind, locator: locator(at: now)) }

  /// A fresh secret for a locator that exists, as the first refresh token of a family.
  public func make(_ kind: HandleKind, locator: Locator) -> Handle {
    Handle(kind: kind, locator: locator, secret: Secret(bytes: random.bytes(HandleLayout.secretByteCount)))
  }

  /// The one refresh token that may follow a presented one.
  ///
  /// Derived, not stored: a retry of the same request yields the same successor, and 50 parallel refreshes agree. It stays
  /// under the ring key that tagged the presented token, so that this holds while keys rotate. A key can therefore leave
  /// the ring, without ending anybody's grant, once it has been inactive for `TokenPolicy.refreshAbsolute`.
  ///
  /// - Parameter presented: as `parse` returned it.
  public func successor(of presented: Handle) -> Handle {
    let key = Self.key(presented.keyID, in: successorKeys)
    let message = Array("refresh".utf8) + presented.locator.bytes + presented.secret.exposedBytes
    let secret = Secret(bytes: HMACSHA256.authenticate(message, key: key).bytes)
    return Handle(kind: presented.kind, locator: presented.locator, secret: secret, keyID: presented.keyID)
  }

  /// The handle as its holder gets it.
  public func text(of handle: Handle) -> String {
    var payload: [UInt8] = []
    payload.reserveCapacity(HandleLayout.payloadByteCount)
    payload.append(contentsOf: handle.locator.bytes)
    payload.append(contentsOf: handle.secret.exposedBytes)
    let key = Self.key(handle.keyID, in: tagKeys)
    let tag = payload.withUnsafeBytes { Self.tag(handle.kind, body: $0, key: key) }
    payload.append(contentsOf: withUnsafeBytes(of: tag.bigEndian) { Array($0) })
    return handle.kind.rawValue + "_" + Base64URL.encode(payload)
  }

  // MARK: Reading

  /// nil unless this server, with a key it still has, made the text as a handle of this kind.
  public func parse(_ text: String, _ kind: HandleKind) -> Handle? {
    var text = text
    return text.withUTF8 { parse(UnsafeRawBufferPointer($0), kind) }
  }

  public func parse(_ text: UnsafeRawBufferPointer, _ kind: HandleKind) -> Handle? {
    HandleLayout.withPayload(text, kind) { payload in
      guard let keyID = keyID(of: payload, kind) else { return nil }
      return Handle(
        kind: kind, locator: HandleLayout.locator(in: payload), secret: Secret(bytes: Array(payload[HandleLayout.secretRange])),
        keyID: keyID)
    }
  }

  /// Whether the tag is ours. Asked on a cache miss, before the store is.
  public func verifyTag(_ text: UnsafeRawBufferPointer, _ kind: HandleKind) -> Bool {
    HandleLayout.withPayload(text, kind) { keyID(of: $0, kind) } != nil
  }

  private func keyID(of payload: UnsafeRawBufferPointer, _ kind: HandleKind) -> String? {
    // SAFETY: the payload has 56 bytes; the tag is the last 8 and needs no alignment.
    let presented = UInt64(bigEndian: payload.loadUnaligned(fromByteOffset: HandleLayout.bodyByteCount, as: UInt64.self))
    let body = UnsafeRawBufferPointer(rebasing: payload[..<HandleLayout.bodyByteCount])
    // Compared as one word: the time does not depend on how many bytes agree.
    return tagKeys.first { Self.tag(kind, body: body, key: $0.key) ^ presented == 0 }?.id
  }

  /// The first 8 bytes of HMAC(prefix ‖ locator ‖ secret).
  private static func tag(_ kind: HandleKind, body: UnsafeRawBufferPointer, key: Secret) -> UInt64 {
    // SAFETY: the letters and the body fill the message; `copyBytes` and `copyMemory` check that each fits.
    withUnsafeTemporaryAllocation(byteCount: HandleLayout.kindByteCount + HandleLayout.bodyByteCount, alignment: 1) {
      message in
      message.copyBytes(from: kind.rawValue.utf8)
      UnsafeMutableRawBufferPointer(rebasing: message[HandleLayout.kindByteCount...]).copyMemory(from: body)
      let digest = HMACSHA256.authenticate(UnsafeRawBufferPointer(message), key: key)
      // SAFETY: a digest is 32 plain bytes; the first 8 are read.
      return withUnsafeBytes(of: digest) { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }
  }

  private static func key(_ id: String?, in keys: [(id: String, key: Secret)]) -> Secret {
    guard let id else { return keys[0].key }
    guard let key = keys.first(where: { $0.id == id })?.key else {
      preconditionFailure("a handle names a key that its own ring does not have")
    }
    return key
  }
}

extension HandleMint {
  /// A client secret with 256 bits of randomness, and what is kept of it.
  public func makeClientSecret(at now: Timestamp) -> (secret: Secret, verifier: SecretVerifier) {
    let secret = Secret(text(of: make(.clientSecret, at: now)))
    return (secret, .sha256(SHA256.digest(secret)))
  }
}
