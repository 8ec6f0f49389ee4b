import COpenSSL

/// AES-256-GCM with a random nonce: `nonce (12) ‖ ciphertext ‖ tag (16)`.
///
/// Random 96-bit nonces bound one key to 2^32 messages. Source: NIST SP 800-38D §8.3.
enum AEAD {
  static let keyByteCount = 32
  static let nonceByteCount = 12
  static let tagByteCount = 16
  /// What sealing adds to a plaintext.
  static let overheadByteCount = nonceByteCount + tagByteCount

  /// - Parameters:
  ///   - key: 32 bytes.
  ///   - associatedData: not kept in the output, but `open` succeeds only with the same.
  static func seal(_ plaintext: [UInt8], key: Secret, associatedData: [UInt8]) -> [UInt8] {
    seal(plaintext, key: key, associatedData: associatedData, after: [], nonce: SystemRandom().bytes(nonceByteCount))
  }

  /// - Parameter sealed: any bytes.
  /// - Returns: the plaintext; nil unless key, associated data and every byte are those of `seal`.
  static func open(_ sealed: [UInt8], key: Secret, associatedData: [UInt8]) -> [UInt8]? {
    open(sealed[...], key: key, associatedData: associatedData)
  }

  /// - Parameters:
  ///   - header: clear bytes that the output starts with.
  ///   - nonce: 12 bytes, never twice under one key.
  static func seal(
    _ plaintext: [UInt8], key: Secret, associatedData: [UInt8], after header: [UInt8], nonce: [UInt8]
  ) -> [UInt8] {
    precondition(key.count == keyByteCount, "AES-256 takes a key of 32 bytes")
    precondition(nonce.count == nonceByteCount, "GCM takes a nonce of 12 bytes")
    let context = ThreadContext.current.pointee.cipher
    let start = key.withUnsafeBytes { key in
      EVP_EncryptInit_ex2(context, Algorithms.aes256GCM, key.bindMemory(to: UInt8.self).baseAddress, nonce, nil)
    }
    require(start, "EVP_EncryptInit_ex2")
    var written: Int32 = 0
    require(
      EVP_EncryptUpdate(context, nil, &written, associatedData, length(associatedData.count)), "EVP_EncryptUpdate")

    let clearCount = header.count + nonceByteCount
    let count = clearCount + plaintext.count + tagByteCount
    // SAFETY: GCM writes as many bytes as it reads, and the tag of 16; the buffer has room for both after the clear part.
    return [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      _ = output[..<header.count].initialize(fromContentsOf: header)
      _ = output[header.count..<clearCount].initialize(fromContentsOf: nonce)
      let ciphertext = output.baseAddress! + clearCount
      require(EVP_EncryptUpdate(context, ciphertext, &written, plaintext, length(plaintext.count)), "EVP_EncryptUpdate")
      require(EVP_EncryptFinal_ex(context, ciphertext + plaintext.count, &written), "EVP_EncryptFinal_ex")
      let tag = ciphertext + plaintext.count
      require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagByteCount), tag), "EVP_CTRL_AEAD_GET_TAG")
      initialized = count
    }
  }

  static func open(_ sealed: ArraySlice<UInt8>, key: Secret, associatedData: [UInt8]) -> [UInt8]? {
    precondition(key.count == keyByteCount, "AES-256 takes a key of 32 bytes")
    guard sealed.count >= overheadByteCount, Int32(exactly: sealed.count) != nil else { return nil }
    let plaintextCount = sealed.count - overheadByteCount
    let context = ThreadContext.current.pointee.cipher
    return sealed.withUnsafeBufferPointer { sealed in
      // SAFETY: nonce, ciphertext and tag are cut from `sealed` by its length; GCM writes as many bytes as it reads.
      let nonce = sealed.baseAddress!
      let ciphertext = nonce + nonceByteCount
      let tag = UnsafeMutablePointer(mutating: ciphertext + plaintextCount)
      let start = key.withUnsafeBytes { key in
        EVP_DecryptInit_ex2(context, Algorithms.aes256GCM, key.bindMemory(to: UInt8.self).baseAddress, nonce, nil)
      }
      require(start, "EVP_DecryptInit_ex2")
      require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagByteCount), tag), "EVP_CTRL_AEAD_SET_TAG")
      var written: Int32 = 0
      require(
        EVP_DecryptUpdate(context, nil, &written, associatedData, length(associatedData.count)), "EVP_DecryptUpdate")
      var isAuthentic = false
      let plaintext = [UInt8](unsafeUninitializedCapacity: plaintextCount + tagByteCount) { output, initialized in
        let start = output.baseAddress!
        require(EVP_DecryptUpdate(context, start, &written, ciphertext, Int32(plaintextCount)), "EVP_DecryptUpdate")
        isAuthentic = EVP_DecryptFinal_ex(context, start + plaintextCount, &written) == 1
        if !isAuthentic {
          OPENSSL_cleanse(start, plaintextCount)
          ERR_clear_error()
        }
        initialized = isAuthentic ? plaintextCount : 0
      }
      return isAuthentic ? plaintext : nil
    }
  }

  private static func length(_ count: Int) -> Int32 {
    guard let length = Int32(exactly: count) else { preconditionFailure("one message has at most 2 GiB") }
    return length
  }
}
