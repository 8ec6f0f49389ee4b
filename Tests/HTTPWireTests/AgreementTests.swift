import PosternTesting
import Testing

@testable import HTTPWire

/// The scanners against readers that are too plain to be wrong, on messages that were tampered with. `deploy/fuzz.sh` asks
/// the same of bytes that a fuzzer finds.
@Suite struct AgreementTests {
  private static let rounds = 3000

  @Test("a request head is decided as by a plain reader, whole and in pieces", arguments: [1, 2, 3] as [UInt64])
  func requests(seed: UInt64) {
    check(seed, of: Seeds.requests) { Agreement.ofRequests($0, step: $1) }
  }

  @Test("a response head is decided as by a plain reader, whole and in pieces", arguments: [4, 5] as [UInt64])
  func responses(seed: UInt64) {
    check(seed, of: Seeds.responses) { Agreement.ofResponses($0, to: seed == 4 ? .get : .head, step: $1) }
  }

  @Test("a chunked body is read as by a plain reader, whole and in pieces", arguments: [6, 7] as [UInt64])
  func chunks(seed: UInt64) {
    check(seed, of: Seeds.chunks) { Agreement.ofChunks($0, step: $1) }
  }

  private func check(_ seed: UInt64, of seeds: [String], _ disagreement: ([UInt8], Int?) -> String?) {
    var generator = SplitMix(seed: seed)
    for round in 0..<Self.rounds {
      let bytes = Seeds.mutation(of: seeds, using: &generator)
      let step = round % 4 == 0 ? Int.random(in: 1...9, using: &generator) : nil
      if let difference = disagreement(bytes, step) { Issue.record("\(latin1(bytes[...]).debugDescription)\n\(difference)") }
    }
  }

  @Test("seeds are read, not refused")
  func seeds() {
    for seed in Seeds.requests { if case .read = readRequest(seed) {} else { Issue.record("\(seed)") } }
    for seed in Seeds.responses { if case .read = readResponse(seed) {} else { Issue.record("\(seed)") } }
    for seed in Seeds.chunks { if case .read = readBody(seed, .chunked) {} else { Issue.record("\(seed)") } }
  }
}
