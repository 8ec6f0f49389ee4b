import CLinux

/// What the kernel reports about a descriptor, or what a registration asks it to report.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The peer closed its sending side; what it sent before is still to be read.
  public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// Both directions are gone. Always reported, never asked for.
  public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// A socket error is pending. Always reported, never asked for.
  public static let error = Readiness(rawValue: EPOLLERR.rawValue)
  /// Report changes instead of states: the owner reads and writes until `EAGAIN`.
  public static let edgeTriggered = Readiness(rawValue: EPOLLET.rawValue)
}

/// Owner of one or many registered descriptors. Called on the loop's thread only.
///
/// A class to inherit from, not a protocol: the loop calls it for every event, and through a protocol it would count a
/// reference each time.
open class ReadinessHandler {
  public init() {}

  /// - Parameter token: the number given at registration; lets one handler own many descriptors.
  open func ready(_ readiness: Readiness, token: UInt32) {}
}

/// Names one registration; a stale one is recognised by its generation and ignored.
public struct Registration: Sendable, Hashable {
  let slot: UInt32
  let generation: UInt32
  public let descriptor: Int32

  var epollData: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// A system call that failed.
public struct SystemCallError: Error, CustomStringConvertible, Sendable {
  public let call: StaticString
  public let errno: Int32

  public init(_ call: StaticString, errno: Int32 = postern_errno()) {
    self.call = call
    self.errno = errno
  }

  public var description: String { "\(call): \(String(cString: strerror(errno)))" }
}
