import CLinux
import Glibc

/// What the system lets this process use.
public enum ProcessLimits {
  /// Processors that this process may run on, at least 1: fewer than the machine has under taskset(1), or in a container
  /// that was given some of them.
  public static var processorCount: Int { max(1, Int(postern_processor_count())) }

  /// Raises the soft limit of open files to the hard one: the soft one is often 1024, for the sake of programs that use
  /// select(2), and a proxied request takes two descriptors.
  ///
  /// - Returns: the limit from now on.
  @discardableResult
  public static func raiseOpenFiles() -> UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    let raised = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
    guard withUnsafePointer(to: raised, { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), $0) }) == 0 else {
      return UInt64(limit.rlim_cur)
    }
    return UInt64(raised.rlim_cur)
  }
}
