import CLinux
import OAuthCore

/// The machine's wall clock.
struct SystemClock: WallClock {
  var now: Timestamp { Timestamp(microseconds: postern_unix_microseconds()) }
}
