import Cryptography
import HTTPWire
import OAuthCore
import Synchronization

/// The visits under way, by the cookie that the browser holds; only the cookie's digest is kept.
final class Visitors: Sendable {
  private struct Entry {
    var visit: Visit
    var expiresAt: Timestamp
  }

  /// One more makes room by dropping what has expired, and then the oldest.
  static let countMax = 1024
  /// Since the last change.
  static let lifetime = Duration.seconds(3600)

  private let clock: any WallClock
  private let random: any RandomSource
  private let entries = Mutex<[Digest256: Entry]>([:])

  init(clock: any WallClock, random: any RandomSource) {
    self.clock = clock
    self.random = random
  }

  /// - Returns: nil for a stranger.
  func visit(of cookie: Secret?) -> Visit? {
    guard let cookie else { return nil }
    let now = clock.now
    return entries.withLock { entries in
      entries[SHA256.digest(cookie)].flatMap { now < $0.expiresAt ? $0.visit : nil }
    }
  }

  /// Takes a visit under a fresh cookie; the one before is forgotten, so that a cookie that somebody planted in the
  /// browser never comes to know what its owner does next.
  ///
  /// - Returns: the cookie, of 256 bits.
  func welcome(_ visit: Visit, instead previous: Secret?) -> Secret {
    let cookie = Secret(Base64URL.encode(random.bytes(32)))
    let now = clock.now
    entries.withLock { entries in
      if let previous { entries[SHA256.digest(previous)] = nil }
      if entries.count >= Self.countMax {
        entries = entries.filter { now < $0.value.expiresAt }
        if entries.count >= Self.countMax, let oldest = entries.min(by: { $0.value.expiresAt < $1.value.expiresAt }) {
          entries[oldest.key] = nil
        }
      }
      entries[SHA256.digest(cookie)] = Entry(visit: visit, expiresAt: now + Self.lifetime)
    }
    return cookie
  }

  /// - Returns: what was known until now; nil for a stranger.
  func forget(_ cookie: Secret?) -> Visit? {
    guard let cookie else { return nil }
    return entries.withLock { $0.removeValue(forKey: SHA256.digest(cookie)) }?.visit
  }

  /// Changes a visit in one step, also when `change` throws; a stranger's is empty and is not kept.
  func change<Value: Sendable, Failure: Error>(
    of cookie: Secret?, _ change: (inout Visit) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let key = cookie.map { SHA256.digest($0) }
    let now = clock.now
    return try entries.withLock { (entries) throws(Failure) -> Value in
      guard let key, var entry = entries[key], now < entry.expiresAt else {
        var stranger = Visit()
        return try change(&stranger)
      }
      entry.expiresAt = now + Self.lifetime
      defer { entries[key] = entry }
      return try change(&entry.visit)
    }
  }
}

/// The cookie that ties a browser to its visit. Source: RFC 6265 §4; RFC 6265bis §5.6.7 for `SameSite`.
enum VisitCookie {
  private static let name = "printmypics"
  // Lax: the answer arrives by a navigation from Postern's site. Cookies know no ports, so the path keeps it from Postern.
  private static let attributes = "; Path=\(PrintMyPics.homePath); HttpOnly; SameSite=Lax"

  /// - Returns: nil when there is none, or when there are two: one of them is planted.
  static func value(in fields: HTTPFields) -> Secret? {
    let values = fields.all("Cookie").flatMap { $0.split(separator: ";") }.compactMap { pair -> Substring? in
      let pair = pair.drop { $0 == " " }
      return pair.hasPrefix(name + "=") ? pair.dropFirst(name.utf8.count + 1) : nil
    }
    return values.count == 1 ? Secret(String(values[0])) : nil
  }

  static func setting(_ cookie: Secret) -> String { "\(name)=\(cookie.exposedText)\(attributes)" }
  static var clearing: String { "\(name)=; Max-Age=0\(attributes)" }
}
