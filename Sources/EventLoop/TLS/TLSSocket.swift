import CLibSSL
import CLinux
import Glibc

/// What OpenSSL reads from and writes to: a non-blocking descriptor.
///
/// Stands in for OpenSSL's own socket BIO, which raises SIGPIPE and cannot tell that a reception emptied the socket.
struct TLSSocket {
  let descriptor: Int32
  /// The last reception took all there was.
  var isDrained = false
  /// The peer ended the connection; without a close_notify before, that is a truncation.
  var hasEnded = false

  /// - Parameter state: outlives the BIO.
  static func makeBIO(_ state: UnsafeMutablePointer<TLSSocket>) -> OpaquePointer? {
    guard let bio = BIO_new(method) else { return nil }
    BIO_set_data(bio, state)
    BIO_set_init(bio, 1)
    return bio
  }

  // SAFETY: written once, by whoever comes first, and read-only from then on. The functions are called by OpenSSL with
  // buffers of `count` bytes, and find the state that `makeBIO` set, which outlives the BIO.
  nonisolated(unsafe) private static let method: OpaquePointer = {
    let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
    guard let method = BIO_meth_new(type, "socket") else { fatalError("out of memory") }
    BIO_meth_set_read(method) { bio, bytes, count in
      guard let bio, let state = BIO_get_data(bio)?.assumingMemoryBound(to: TLSSocket.self) else { return -1 }
      postern_bio_clear_retry(bio)
      while true {
        let received = postern_recv(state.pointee.descriptor, bytes, Int(count))
        if received > 0 {
          state.pointee.isDrained = received < Int(count)
          return Int32(received)
        }
        if received == 0 {
          state.pointee.hasEnded = true
          return 0
        }
        switch postern_errno() {
        case EINTR: continue
        case EAGAIN:
          state.pointee.isDrained = true
          postern_bio_retry_read(bio)
          return -1
        default:
          state.pointee.hasEnded = true
          return -1
        }
      }
    }
    BIO_meth_set_write(method) { bio, bytes, count in
      guard let bio, let state = BIO_get_data(bio)?.assumingMemoryBound(to: TLSSocket.self) else { return -1 }
      postern_bio_clear_retry(bio)
      while true {
        let sent = postern_send(state.pointee.descriptor, bytes, Int(count))
        if sent >= 0 { return Int32(sent) }
        switch postern_errno() {
        case EINTR: continue
        case EAGAIN: postern_bio_retry_write(bio)
        default: break
        }
        return -1
      }
    }
    BIO_meth_set_ctrl(method) { bio, command, _, _ in
      switch command {
      case BIO_CTRL_FLUSH: return 1
      case BIO_CTRL_EOF:
        let state = BIO_get_data(bio)?.assumingMemoryBound(to: TLSSocket.self)
        return state?.pointee.hasEnded == true ? 1 : 0
      default: return 0
      }
    }
    return method
  }()
}
