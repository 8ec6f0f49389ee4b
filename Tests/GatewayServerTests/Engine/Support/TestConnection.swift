/// The end of a connection that a test plays, in clear or over TLS: sends exact bytes, reads message by message.
protocol TestConnection: AnyObject {
  /// Bytes received but not read yet.
  var pending: [UInt8] { get set }

  /// Waits for more to read.
  ///
  /// - Returns: false at the end, on a reset or after the time limit.
  func fill() -> Bool

  /// - Returns: whether the peer took everything.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool
}

extension TestConnection {
  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Up to and with the empty line; nil when the peer ends before.
  func readHead() -> String? {
    while true {
      if let end = pending.firstRange(of: Array("\r\n\r\n".utf8)) {
        defer { pending.removeSubrange(..<end.upperBound) }
        return String(decoding: pending[..<end.upperBound], as: UTF8.self)
      }
      guard fill() else { return nil }
    }
  }

  func read(_ count: Int) -> [UInt8]? {
    while pending.count < count { guard fill() else { return nil } }
    defer { pending.removeFirst(count) }
    return Array(pending[..<count])
  }

  /// Head and a body with `Content-Length`.
  func readMessage() -> (head: String, body: String)? {
    readBytes().map { ($0.head, String(decoding: $0.body, as: UTF8.self)) }
  }

  /// A message whose body is no text.
  func readBytes() -> (head: String, body: [UInt8])? {
    guard let head = readHead() else { return nil }
    let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst(15).trimmed) } ?? 0
    return read(length).map { (head, $0) }
  }

  /// Everything until the peer ends.
  func readAll() -> String {
    while fill() {}
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }
}

extension StringProtocol {
  /// Without the `Date` that the gateway adds where an upstream sent none.
  var undated: String { String(self).replacing(/Date: [A-Za-z0-9 ,:]+ GMT\r\n/, with: "", maxReplacements: 1) }

  var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
