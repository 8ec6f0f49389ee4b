import CNGHTTP2
import EventLoop

/// The other end of an HTTP/2 connection for tests: writes frames as they are given, right or wrong, and reads what comes.
final class HTTP2Connection {
  /// What one stream has brought.
  struct Response: Equatable {
    var status = ""
    /// Pseudo-fields of a request, where this is the server.
    var pseudo: [String] = []
    var fields: [String] = []
    var body = ""
    var trailers: [String] = []
    /// Status codes of interim responses.
    var interim: [String] = []
    var isComplete = false
    /// Of RST_STREAM.
    var error: UInt32?
    fileprivate var isHeadRead = false

    /// `fields` without the `Date` that the gateway adds where an upstream sent none.
    var undated: [String] { fields.filter { !$0.hasPrefix("date: ") } }
  }

  private let connection: any TestConnection
  // SAFETY: made in `init`, freed in `deinit`, used by one thread.
  private var inflater: OpaquePointer?
  private(set) var responses: [UInt32: Response] = [:]
  /// The error code of GOAWAY, and the last stream it names.
  private(set) var goAway: (error: UInt32, last: UInt32)?
  private(set) var settings: [UInt16: UInt32] = [:]
  /// Receive windows that were opened, by stream.
  private(set) var windows: [UInt32: Int] = [:]
  private(set) var pings = 0
  /// Whether windows are opened again as content comes.
  var takesContent = true
  private var next: UInt32 = 1

  /// - Parameter opensWith: settings of our own; nil: the preface is not sent.
  init(_ connection: any TestConnection, opensWith entries: [(UInt16, UInt32)]? = []) {
    self.connection = connection
    nghttp2_hd_inflate_new(&inflater)
    if let entries { connection.send(HTTP2Frame.preface + HTTP2Frame.settings(entries).bytes) }
  }

  deinit { nghttp2_hd_inflate_del(inflater) }

  @discardableResult
  func write(_ frames: HTTP2Frame...) -> Bool { connection.send(frames.flatMap(\.bytes)) }

  @discardableResult
  func write(_ frames: [HTTP2Frame]) -> Bool { connection.send(frames.flatMap(\.bytes)) }

  /// Sends a request without content.
  func get(_ path: String, _ fields: [(String, String)] = []) -> UInt32 {
    request([(":method", "GET"), (":scheme", "http"), (":authority", "gw.example"), (":path", path)] + fields)
  }

  func request(_ fields: [(String, String)], endsStream: Bool = true) -> UInt32 {
    let stream = newStream()
    write(.headers(stream, fields, endsStream: endsStream))
    return stream
  }

  /// A number for a stream whose frames are written one by one.
  func newStream() -> UInt32 {
    defer { next += 2 }
    return next
  }

  /// Reads until the stream has ended; nil when the connection did before.
  func response(_ stream: UInt32) -> Response? {
    readUntil { $0.responses[stream].map { $0.isComplete || $0.error != nil } ?? false } ? responses[stream] : nil
  }

  private var served: Set<UInt32> = []

  /// The server's side: the next request that is complete; nil when the connection ends before.
  func nextRequest() -> (stream: UInt32, request: Response)? {
    func next() -> UInt32? { responses.first { $0.value.isComplete && !served.contains($0.key) }?.key }
    guard readUntil({ _ in next() != nil }), let stream = next() else { return nil }
    served.insert(stream)
    return responses[stream].map { (stream, $0) }
  }

  /// The server's side: answers a request as a whole.
  func respond(_ stream: UInt32, _ status: String = "200", _ fields: [(String, String)] = [], _ body: String = "") {
    write(.headers(stream, [(":status", status)] + fields, endsStream: body.isEmpty))
    if !body.isEmpty { write(.data(stream, body, endsStream: true)) }
  }

  /// Whether what goes through a tunnel comes back, bit by bit; ends this side of it then.
  func isEchoed(on stream: UInt32) -> Bool {
    for number in 0..<20 {
      write(.data(stream, "frame \(number);"))
      guard readUntil({ $0.responses[stream]?.body.hasSuffix("frame \(number);") == true }) else { return false }
    }
    return write(.data(stream, "", endsStream: true))
  }

  /// Reads until the connection ends.
  func readAll() { _ = readUntil { _ in false } }

  /// - Returns: false when the connection ended before.
  @discardableResult
  func readUntil(_ condition: (HTTP2Connection) -> Bool) -> Bool {
    while !condition(self) { guard readFrame() != nil else { return false } }
    return true
  }

  @discardableResult
  func readFrame() -> HTTP2Frame? {
    guard let header = connection.read(9) else { return nil }
    let count = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
    guard let kind = HTTP2Frame.Kind(rawValue: header[3]), let payload = connection.read(count) else { return nil }
    let stream = header[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let frame = HTTP2Frame(kind, flags: header[4], stream: stream, payload)
    take(frame, kind)
    return frame
  }

  private func take(_ frame: HTTP2Frame, _ kind: HTTP2Frame.Kind) {
    let endsStream = frame.flags & HTTP2Frame.endStream != 0
    switch kind {
    case .headers:
      takeFields(frame.payload, on: frame.stream)
      if endsStream { responses[frame.stream, default: Response()].isComplete = true }
    case .data:
      responses[frame.stream, default: Response()].body += String(decoding: frame.payload, as: UTF8.self)
      if endsStream { responses[frame.stream, default: Response()].isComplete = true }
      guard takesContent, !frame.payload.isEmpty else { return }
      write(.windowUpdate(0, UInt32(frame.payload.count)))
      if !endsStream { write(.windowUpdate(frame.stream, UInt32(frame.payload.count))) }
    case .resetStream: responses[frame.stream, default: Response()].error = frame.number()
    case .goAway: goAway = (frame.number(at: 4), frame.number())
    case .settings where frame.flags & HTTP2Frame.ack == 0:
      for start in stride(from: 0, to: frame.payload.count, by: 6) {
        settings[UInt16(frame.payload[start]) << 8 | UInt16(frame.payload[start + 1])] = frame.number(at: start + 2)
      }
      write(HTTP2Frame(.settings, flags: HTTP2Frame.ack))
    case .windowUpdate: windows[frame.stream, default: 0] += Int(frame.number())
    case .ping: pings += 1
    default: break
    }
  }

  private func takeFields(_ block: [UInt8], on stream: UInt32) {
    var response = responses[stream] ?? Response()
    var rest = block[...]
    while true {
      var field = nghttp2_nv()
      var flags: Int32 = 0
      let used = rest.withUnsafeBufferPointer { nghttp2_hd_inflate_hd2(inflater, &field, &flags, $0.baseAddress, $0.count, 1) }
      guard used >= 0 else { fatalError("the field block cannot be read") }
      rest = rest.dropFirst(used)
      if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
        let name = String(decoding: UnsafeBufferPointer(start: field.name, count: field.namelen), as: UTF8.self)
        let value = String(decoding: UnsafeBufferPointer(start: field.value, count: field.valuelen), as: UTF8.self)
        if name == ":status", value.hasPrefix("1") {
          response.interim.append(value)
        } else if name == ":status" {
          response.status = value
        } else if name.hasPrefix(":") {
          response.pseudo.append("\(name): \(value)")
        } else if response.status.isEmpty, response.pseudo.isEmpty {
          continue
        } else if response.body.isEmpty, !response.isHeadRead {
          response.fields.append("\(name): \(value)")
        } else {
          response.trailers.append("\(name): \(value)")
        }
      }
      if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
        nghttp2_hd_inflate_end_headers(inflater)
        break
      }
    }
    response.isHeadRead = !response.status.isEmpty || !response.pseudo.isEmpty
    responses[stream] = response
  }
}

extension Gateway {
  /// A client that speaks HTTP/2 by prior knowledge.
  func connectHTTP2(opensWith entries: [(UInt16, UInt32)] = []) throws -> HTTP2Connection {
    HTTP2Connection(try connect(), opensWith: entries)
  }
}
