import Testing

@testable import PostgresClient

@Suite("Ring buffer")
struct RingBufferTests {
  @Test("elements come out in the order they went in, across growth and wrap-around")
  func order() {
    var buffer = RingBuffer<Int>(capacity: 4)
    var next = 0
    var expected = 0
    for round in 0..<50 {
      for _ in 0...(round % 7) {
        buffer.append(next)
        next += 1
      }
      for _ in 0...(round % 5) {
        guard let element = buffer.popFirst() else { break }
        #expect(element == expected)
        expected += 1
      }
      #expect(buffer.count == next - expected)
    }
    while let element = buffer.popFirst() {
      #expect(element == expected)
      expected += 1
    }
    #expect(expected == next)
    #expect(buffer.isEmpty)
  }
}
