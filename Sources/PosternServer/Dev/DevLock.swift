import Glibc

/// Keeps a second `postern dev` out of a folder: when it ended, it would stop the first one's PostgreSQL.
///
/// The kernel unlocks when the process ends, however it ends.
struct DevLock {
  private let descriptor: Int32

  init(_ directory: String) throws {
    descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure("\(directory) cannot be opened: \(String(cString: strerror(errno)))") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw CommandFailure("another `postern dev` uses \(directory): stop it, or choose another folder with --directory")
    }
  }

  func unlock() { close(descriptor) }
}
