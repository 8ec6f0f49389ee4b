import HTTPWire
import PosternTesting
import Testing

/// What a server session makes of frames that were spoilt.
private final class Judge: HTTP2SessionOwner {
  private var head = HTTP2RequestHead(fieldBytesMax: 4096)
  private var framings: [Int32: HTTP2Framing] = [:]
  private(set) var heads: [[UInt8]] = []
  private(set) var closedCount = 0

  func fieldsBegan(on stream: Int32) { head.reset() }

  func fieldCame(on stream: Int32, name: Span<UInt8>, value: Span<UInt8>) throws(HTTP2ErrorCode) {
    if framings[stream] == nil { try head.take(name: name, value: value) }
  }

  func fieldsEnded(on stream: Int32, endsStream: Bool) throws(HTTP2ErrorCode) {
    guard framings[stream] == nil else { return }
    framings[stream] = try head.finish(endsStream: endsStream, webSocketKey: { "AAAAAAAAAAAAAAAAAAAAAA==" })
    heads.append(head.bytes)
  }

  func contentCame(on stream: Int32, _ bytes: Span<UInt8>) throws(HTTP2ErrorCode) {
    // Only behind a head whose framing says so.
    #expect(framings[stream] != nil && framings[stream] != HTTP2Framing.none)
  }

  func inputEnded(on stream: Int32) throws(HTTP2ErrorCode) {}
  func content(for stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Content { .none }
  func endWasSent(on stream: Int32) {}
  func streamClosed(_ stream: Int32, _ error: HTTP2ErrorCode) { closedCount += 1 }
  func goAwayCame() {}
  func settingsCame() {}
}

@Suite struct HTTP2FuzzTests {
  private static let request: [(String, String)] = [
    (":method", "POST"), (":scheme", "https"), (":authority", "gw.example:8443"), (":path", "/a/b?c=d"), ("cookie", "a=b"),
    ("content-length", "5"), ("accept", "*/*"), ("cookie", "c=d"), ("te", "trailers"),
  ]

  /// Frames of an honest client, some of them twice or out of order.
  private static func conversation(_ random: SeededRandom) -> [UInt8] {
    var frames: [HTTP2Frame] = [.settings([(3, 100), (4, 65535)])]
    for stream in [UInt32(1), 3, 5] {
      let endsStream = random.next() % 3 == 0
      let fields = endsStream ? request.filter { $0.0 != "content-length" } : request
      frames.append(.headers(stream, fields, endsStream: endsStream))
      if !endsStream { frames += [.data(stream, "hel"), .data(stream, "lo"), .headers(stream, [("x-trailer", "1")])] }
    }
    frames += [HTTP2Frame(.ping, Array(repeating: 7, count: 8)), .windowUpdate(0, 1000), .reset(5)]
    if random.next() % 4 == 0 { frames.swapAt(1, Int(random.next() % UInt64(frames.count))) }
    return HTTP2Frame.preface + frames.flatMap(\.bytes)
  }

  @Test("Whatever is done to frames, what a session gives out is one well-formed head of HTTP/1.1 each", arguments: [1, 2, 3, 4])
  func mutations(seed: UInt64) {
    let random = SeededRandom(seed: seed)
    var headCount = 0
    for _ in 0..<5_000 {
      var bytes = HTTP2FuzzTests.conversation(random)
      for _ in 0..<random.next() % 6 {
        let place = HTTP2Frame.preface.count + Int(random.next() % UInt64(bytes.count - HTTP2Frame.preface.count))
        switch random.next() % 5 {
        case 0: bytes[place] ^= 1 << UInt8(random.next() % 8)
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes.remove(at: place)
        case 3: bytes.insert([0x0d, 0x0a, 0, 0x20, 0x3a, 0x41][Int(random.next() % 6)], at: place)
        default: bytes.replaceSubrange(place..<min(place + 1 + Int(random.next() % 20), bytes.count), with: bytes[24..<40])
        }
      }
      headCount += judge(bytes, random)
    }
    // The mutations leave enough alive to be a test.
    #expect(headCount > 1000)
  }

  /// - Returns: how many heads came out.
  private func judge(_ bytes: [UInt8], _ random: SeededRandom) -> Int {
    let judge = Judge()
    let session = HTTP2Session(.server, HTTP2Session.Settings())
    session.attach(to: judge)
    var budget = HTTP2FrameBudget(limits: .init(controlFrames: 1000, resets: 1000), hasPreface: true, now: 0)
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + 1 + Int(random.next() % 200))
      let part = Array(bytes[start..<end])
      guard budget.take(part.span, at: 0), part.withUnsafeBytes({ session.receive($0) }) else { break }
      while session.nextOutput() != nil {}
      start = end
    }
    for head in judge.heads {
      var scanner = RequestScanner()
      do throws(WireError) {
        let isWhole = try scanner.scan(head.span)
        #expect(isWhole && scanner.head.byteCount == head.count, "\(String(decoding: head, as: UTF8.self))")
      } catch {
        // Refused by the same rules as in HTTP/1.1: just as well.
        continue
      }
    }
    return judge.heads.count
  }
}
