import CLinux
import Glibc

/// The text of a small file; nil when it cannot be read.
func readFile(_ path: String) -> String? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var text: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 16 * 1024)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    guard count > 0 else { return String(decoding: text, as: UTF8.self) }
    text += chunk[..<count]
  }
}

/// Replaces a file that every account may read.
func writeFile(_ path: String, _ text: String) throws(LocalPostgresError) {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw LocalPostgresError("\(path) cannot be written: \(lastErrorText)") }
  defer { close(descriptor) }
  let bytes = Array(text.utf8)
  guard write(descriptor, bytes, bytes.count) == bytes.count else {
    throw LocalPostgresError("\(path) cannot be written: \(lastErrorText)")
  }
}

/// Keeps two processes from creating or starting one cluster at once.
struct DirectoryLock {
  private let descriptor: Int32

  init(_ directory: String) throws(LocalPostgresError) {
    descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LocalPostgresError("\(directory) cannot be opened: \(lastErrorText)") }
    while flock(descriptor, LOCK_EX) != 0 {
      guard postern_errno() == EINTR else {
        close(descriptor)
        throw LocalPostgresError("\(directory) cannot be locked: \(lastErrorText)")
      }
    }
  }

  func unlock() { close(descriptor) }
}
