import CLinux
import Glibc

/// Runs a program to its end.
enum Subprocess {
  struct Outcome {
    /// Exit status; 128 + signal when a signal ended it.
    let status: Int32
    /// Standard output and standard error, mixed.
    let output: String
  }

  /// - Parameters:
  ///   - arguments: the program's path, or its name in PATH, and what follows.
  ///   - environment: all of the program's environment, as `NAME=value`.
  static func run(_ arguments: [String], environment: [String]) throws(LocalPostgresError) -> Outcome {
    // A file and not a pipe: a server that the program leaves behind may keep it open.
    var template = Array("/tmp/postern-output-XXXXXX\0".utf8CString)
    let output = mkstemp(&template)
    guard output >= 0 else { throw LocalPostgresError("no file can be made in /tmp: \(lastErrorText)") }
    unlink(template)
    _ = fcntl(output, F_SETFD, FD_CLOEXEC)
    defer { close(output) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)

    // What this process blocks or ignores is not the program's business.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var process: pid_t = 0
    let status = withCStrings(arguments) { arguments in
      withCStrings(environment) { posix_spawnp(&process, arguments[0]!, &actions, &attributes, arguments, $0) }
    }
    guard status == 0 else {
      throw LocalPostgresError("\(arguments[0]) cannot be run: \(String(cString: strerror(status)))")
    }
    return Outcome(status: wait(for: process), output: contents(of: output))
  }

  private static func wait(for process: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard postern_errno() == EINTR else { return 127 }
    }
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }

  private static func contents(of descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}

/// The text of `errno`.
var lastErrorText: String { String(cString: strerror(postern_errno())) }

/// Lends a null-terminated list of C strings.
private func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  // SAFETY: the copies live until `body` has returned; the list has at least the null.
  let copies = strings.map { strdup($0) } + [nil]
  defer { for copy in copies { free(copy) } }
  return copies.withUnsafeBufferPointer { body($0.baseAddress!) }
}
