import Foundation

/// What came back, read to the end of the connection.
struct Answer: Sendable {
  var status: Int
  var fields: [(name: String, value: String)]
  var body: Data

  func field(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
  func fields(_ name: String) -> [String] { fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value) }
  var text: String { String(decoding: body, as: UTF8.self) }
  var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
  var error: String? { json["error"] as? String }
}

enum HTTPClient {
  struct NoAnswer: Error, CustomStringConvertible {
    let description: String
  }

  /// One request on a connection of its own, blocking; the body goes as it is.
  static func send(
    _ method: String = "GET", port: Int, _ target: String, fields: [String: String] = [:], body: String = "",
    from source: String? = nil
  ) throws -> Answer {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
    for (name, value) in fields { head += "\(name): \(value)\r\n" }
    if !body.isEmpty || method == "POST" { head += "Content-Length: \(body.utf8.count)\r\n" }
    return try exchange(port: port, bytes: Data((head + "\r\n" + body).utf8), from: source)
  }

  static func get(port: Int, _ target: String, fields: [String: String] = [:]) throws -> Answer {
    try send("GET", port: port, target, fields: fields)
  }

  /// Sends a form.
  static func post(
    port: Int, _ target: String, form: [(String, String)], fields: [String: String] = [:], from source: String? = nil
  ) throws -> Answer {
    let body = form.map { "\(encode($0))=\(encode($1))" }.joined(separator: "&")
    let type = ["Content-Type": "application/x-www-form-urlencoded"]
    return try send("POST", port: port, target, fields: fields.merging(type) { mine, _ in mine }, body: body, from: source)
  }

  static func encode(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  /// Writes raw bytes and reads until the server closes.
  ///
  /// - Parameter source: the loopback address to call from, such as `127.0.0.2`; nil: 127.0.0.1.
  static func exchange(port: Int, bytes: Data, from source: String? = nil) throws -> Answer {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw NoAnswer(description: "no socket") }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    if let source {
      var local = sockaddr_in()
      local.sin_family = sa_family_t(AF_INET)
      inet_pton(AF_INET, source, &local.sin_addr)
      let bound = withUnsafePointer(to: &local) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard bound == 0 else { throw NoAnswer(description: "cannot call from \(source)") }
    }
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw NoAnswer(description: "connection refused") }
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
      // The server may refuse and close before it has read everything; its answer is still to be read.
      guard count > 0 else { break }
      sent += count
    }
    var received = Data()
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      received.append(contentsOf: buffer[..<count])
    }
    return try parse(received)
  }

  private static func parse(_ data: Data) throws -> Answer {
    guard let end = data.range(of: Data("\r\n\r\n".utf8)) else { throw NoAnswer(description: "no head in \(data.count) bytes") }
    let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw NoAnswer(description: "no status in \(lines[0])")
    }
    let fields = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (name: String(parts[0]), value: parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
    }
    var answer = Answer(status: status, fields: fields, body: data[end.upperBound...])
    if answer.field("Transfer-Encoding")?.lowercased() == "chunked" { answer.body = unchunk(answer.body) }
    return answer
  }

  private static func unchunk(_ data: Data) -> Data {
    var rest = data[...]
    var body = Data()
    while let end = rest.range(of: Data("\r\n".utf8)) {
      guard let size = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16), size > 0 else { break }
      body.append(rest[end.upperBound...].prefix(size))
      rest = rest[end.upperBound...].dropFirst(size + 2)
    }
    return body
  }
}

/// Runs `body` on `count` threads at once and returns what each made, in order.
func inParallel<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) -> [Result] {
  let results = Locked([Result?](repeating: nil, count: count))
  let group = DispatchGroup()
  let gate = DispatchSemaphore(value: 0)
  for index in 0..<count {
    group.enter()
    let thread = Thread {
      gate.wait()
      let result = body(index)
      results.withLock { $0[index] = result }
      group.leave()
    }
    thread.stackSize = 512 * 1024
    thread.start()
  }
  for _ in 0..<count { gate.signal() }
  group.wait()
  return results.withLock { $0.map { $0! } }
}

final class Locked<Value>: @unchecked Sendable {
  // SAFETY: `value` is reached through the lock only.
  private let lock = NSLock()
  private var value: Value
  init(_ value: Value) { self.value = value }
  func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
