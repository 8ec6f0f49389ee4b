import Testing

@testable import Cryptography

@Suite("Random bytes")
struct SystemRandomTests {
  @Test("Any number of bytes, past the stock too", arguments: [0, 1, 16, 32, 255, 256, 257, 1023, 1024, 1025, 100_000])
  func counts(count: Int) {
    #expect(SystemRandom().bytes(count).count == count)
  }

  @Test("No bytes come twice, over many refills and threads")
  func unique() async {
    let seen = await withTaskGroup(of: [[UInt8]].self) { group in
      for _ in 0..<4 { group.addTask { (0..<1000).map { _ in SystemRandom().bytes(16) } } }
      return await group.reduce(into: Set<[UInt8]>()) { $0.formUnion($1) }
    }
    #expect(seen.count == 4000)
  }

  @Test("Words are random in both halves")
  func words() {
    let words = (0..<100).map { _ in SystemRandom().words() }
    #expect(Set(words.map(\.0)).count == 100)
    #expect(Set(words.map(\.1)).count == 100)
  }

  @Test("Every bit is set about half of the time")
  func bits() {
    let bytes = SystemRandom().bytes(4096)
    for bit in 0..<8 {
      let count = bytes.count { $0 >> UInt8(bit) & 1 == 1 }
      // Eleven standard deviations (32) around 2048.
      #expect((1696...2400).contains(count))
    }
  }
}
