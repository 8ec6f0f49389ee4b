import COpenSSL
import Glibc

/// What a thread keeps to compute without allocating: one context per kind of operation, and a stock of random bytes.
///
/// Made when a thread first needs it, freed when the thread ends. Callers use it within one synchronous call and keep
/// nothing of it: an `async` caller may go on elsewhere.
struct ThreadContext {
  let digest = required(EVP_MD_CTX_new())
  let cipher = required(EVP_CIPHER_CTX_new())
  let hmac: OpaquePointer
  var random = RandomStock()

  private init() {
    hmac = required(EVP_MAC_CTX_new(Algorithms.hmac))
    var parameters = Parameters()
    parameters.add("digest", text: "SHA256")
    let status = parameters.withList { [hmac] in EVP_MAC_CTX_set_params(hmac, $0) }
    require(status, "EVP_MAC_CTX_set_params")
  }

  // SAFETY: the pointer belongs to the calling thread alone; pthread frees it through `release` when the thread ends.
  static var current: UnsafeMutablePointer<ThreadContext> {
    if let pointer = pthread_getspecific(key) { return pointer.assumingMemoryBound(to: ThreadContext.self) }
    let made = UnsafeMutablePointer<ThreadContext>.allocate(capacity: 1)
    made.initialize(to: ThreadContext())
    let status = pthread_setspecific(key, made)
    precondition(status == 0, "no memory for a thread's cryptography context")
    return made
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let status = pthread_key_create(&key) { pointer in
      guard let pointer else { return }
      let context = pointer.assumingMemoryBound(to: ThreadContext.self)
      context.pointee.release()
      context.deinitialize(count: 1)
      context.deallocate()
    }
    precondition(status == 0, "the process is out of thread-local keys")
    return key
  }()

  private func release() {
    EVP_MD_CTX_free(digest)
    EVP_CIPHER_CTX_free(cipher)
    EVP_MAC_CTX_free(hmac)
    random.release()
  }
}
