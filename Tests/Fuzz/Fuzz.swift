import Cryptography
import Foundation
@testable import HTTPWire
@testable import OAuthCore
@testable import ReverseProxy

// Built by deploy/fuzz.sh together with Tests/HTTPWireTests/Reference. The first byte of an input chooses what is fuzzed,
// the second how the rest is cut into pieces.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count >= 2 else { return 0 }
  let step = data[1] == 0 ? nil : Int(data[1])
  let bytes = Array(UnsafeBufferPointer(start: data + 2, count: count - 2))
  switch data[0] % 10 {
  case 0: require(Agreement.ofRequests(bytes, step: step))
  case 1: require(Agreement.ofResponses(bytes, to: .get, step: step))
  case 2: require(Agreement.ofResponses(bytes, to: .head, step: step))
  case 3: require(Agreement.ofChunks(bytes, step: step))
  case 4: require(pathDisagreement(bytes))
  case 5: require(formDisagreement(bytes))
  case 6: require(handleDisagreement(bytes))
  case 7: require(HTTP2Heads.requestDisagreement(bytes))
  case 8: require(HTTP2Heads.responseDisagreement(bytes))
  default: require(Documents.disagreement(bytes))
  }
  return 0
}

private func require(_ disagreement: String?) {
  if let disagreement { fatalError(disagreement) }
}

/// A path that is accepted shows no dot segment, no empty segment and no control byte, however often it is decoded.
private func pathDisagreement(_ target: [UInt8]) -> String? {
  guard let canonical = try? CanonicalPath(target: target.span) else { return nil }
  var path = Array(target[..<canonical.byteCount])
  let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  if segments.dropFirst().dropLast().contains(where: \.isEmpty) { return "an empty segment passed: \(target)" }
  while true {
    let parts = path.split(omittingEmptySubsequences: false) { $0 == 0x2f || $0 == 0x5c }
      .map { $0.prefix { $0 != UInt8(ascii: ";") } }
    if parts.contains(where: { $0 == [0x2e] || $0 == [0x2e, 0x2e] }) { return "a dot segment passed: \(target)" }
    if path.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return "a control byte passed: \(target)" }
    let decoded = decodedOnce(path)
    if decoded == path { return nil }
    path = decoded
  }
}

private func decodedOnce(_ path: [UInt8]) -> [UInt8] {
  var decoded: [UInt8] = []
  var index = 0
  while index < path.count {
    let octet = path[index] == UInt8(ascii: "%") ? path.span.escapedOctet(at: index) : nil
    decoded.append(octet ?? path[index])
    index += octet == nil ? 1 : 3
  }
  return decoded
}

/// A form that is read has the pairs that a plain reader finds.
private func formDisagreement(_ bytes: [UInt8]) -> String? {
  // Raw bytes of UTF-8 may be mixed with escaped ones, which the plain reader does not do.
  guard bytes.allSatisfy({ $0 < 0x80 }), let form = try? FormDecoder.decode(bytes) else { return nil }
  var expected: [[String?]] = []
  for pair in bytes.split(separator: UInt8(ascii: "&")) {
    let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false).map { half in
      let spaced = half.map { $0 == UInt8(ascii: "+") ? 0x20 : $0 }
      return String(decoding: spaced, as: UTF8.self).removingPercentEncoding
    }
    expected.append([halves[0], halves.count > 1 ? halves[1] : ""])
  }
  let found = form.pairs.map { [$0.name, $0.value] as [String?] }
  return zip(found, expected).allSatisfy { $0 == $1 } && found.count == expected.count ? nil : "\(found) is not \(expected)"
}

private let ring = try! KeyRing(active: "a", keys: [("a", Secret(bytes: [UInt8](repeating: 1, count: 32)))])
private let mint = HandleMint(ring: ring, random: SystemRandom())

/// Only what the mint has made is a handle, and it has one spelling.
private func handleDisagreement(_ bytes: [UInt8]) -> String? {
  let made = Array(mint.text(of: mint.make(.accessToken, at: Timestamp(seconds: 1_000_000))).utf8)
  guard let position = bytes.first.map({ Int($0) % made.count }), bytes.count > 1 else { return nil }
  var tampered = made
  tampered.replaceSubrange(position..<min(made.count, position + bytes.count - 1), with: bytes.dropFirst())
  for text in [bytes, tampered] where text != made {
    if text.withUnsafeBytes({ mint.parse($0, .accessToken) }) != nil { return "a forged handle passed" }
  }
  return made.withUnsafeBytes { mint.parse($0, .accessToken) } == nil ? "a genuine handle was refused" : nil
}
