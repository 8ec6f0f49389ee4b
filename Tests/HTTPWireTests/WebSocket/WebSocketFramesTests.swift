import HTTPWire
import Testing

@Suite struct WebSocketFramesTests {
  private static func frame(_ first: UInt8, _ length: Int) -> [UInt8] {
    let payload = [UInt8](repeating: 0x88, count: length)
    if length < 126 { return [first, UInt8(length)] + payload }
    if length < 65536 { return [first, 126, UInt8(length >> 8), UInt8(length & 0xff)] + payload }
    return [first, 127] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) } + payload
  }

  @Test("RFC 6455 §5.2: a frame may follow where one has ended, and nowhere else", arguments: [0, 1, 125, 126, 127, 65535, 65536, 70000])
  func boundaries(length: Int) {
    // A text frame that begins a message, a ping in its midst, its end.
    let frames = [Self.frame(0x01, length), Self.frame(0x89, 3), Self.frame(0x80, length)]
    var tracker = WebSocketFrames()
    #expect(tracker.takesAnother)
    for frame in frames {
      for index in frame.indices {
        tracker.note(frame.span.extracting(index..<index + 1))
        #expect(tracker.takesAnother == (index == frame.count - 1))
      }
    }
    var whole = WebSocketFrames()
    let bytes = frames.flatMap { $0 }
    whole.note(bytes.span)
    #expect(whole.takesAnother)
  }

  @Test("RFC 6455 §5.5.1: nothing follows a close frame")
  func afterClose() {
    var tracker = WebSocketFrames()
    let close = WebSocketCloseCode.goingAway.frame(reason: "over")
    tracker.note(close.span)
    #expect(!tracker.takesAnother)
  }

  @Test("RFC 6455 §5.1, §5.2: bytes that no server sends leave nothing to be said", arguments: [
    [0x81, 0x80, 1, 2, 3, 4], [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 1],
  ] as [[UInt8]])
  func lost(bytes: [UInt8]) {
    var tracker = WebSocketFrames()
    tracker.note(bytes.span)
    let more = [UInt8](repeating: 0, count: 4096)
    tracker.note(more.span)
    #expect(!tracker.takesAnother)
  }

  @Test("RFC 6455 §5.5.1: a close frame has its code in network order, then its reason")
  func closeFrame() {
    #expect(WebSocketCloseCode.policyViolation.frame(reason: "no") == [0x88, 4, 0x03, 0xf0, 0x6e, 0x6f])
    #expect(WebSocketCloseCode.goingAway.frame(reason: "") == [0x88, 2, 0x03, 0xe9])
  }
}
