@testable import HTTPWire

/// What a request head was read as, in text, for comparison.
struct ReadRequest: Equatable, CustomStringConvertible {
  var method = ""
  var path = ""
  var query: String?
  var authority = ""
  var authorization: String?
  var framing = BodyFraming.none
  var isPersistent = true
  var expectsContinue = false
  /// Field lines that would be forwarded.
  var forwarded: [String] = []
  /// What follows the scanner.head.
  var rest = ""

  var description: String { "\(method) \(path)?\(query ?? "-") @\(authority) \(framing) \(forwarded) rest:\(rest)" }
}

struct ReadResponse: Equatable {
  var statusAndReason = ""
  var framing = BodyFraming.none
  var isPersistent = true
  var forwarded: [String] = []
  var rest = ""
}

enum Reading<Value: Equatable>: Equatable {
  case incomplete
  case refused(WireError)
  case read(Value)
}

/// - Parameter step: bytes given at a time; nil: all at once.
func readRequest(_ text: String, step: Int? = nil, limits: WireLimits = WireLimits()) -> Reading<ReadRequest> {
  readRequest(bytes(of: text), step: step, limits: limits)
}

func readRequest(_ bytes: [UInt8], step: Int? = nil, limits: WireLimits = WireLimits()) -> Reading<ReadRequest> {
  var scanner = RequestScanner(limits: limits)
  for count in steps(bytes.count, step) {
    do {
      guard try scanner.scan(bytes.span.extracting(0..<count)) else { continue }
    } catch {
      return .refused(error)
    }
    func text(_ range: ByteRange) -> String { latin1(bytes[range.range]) }
    return .read(ReadRequest(
      method: text(scanner.head.method), path: text(scanner.head.path), query: scanner.head.query.map { text($0) },
      authority: text(scanner.head.authority), authorization: scanner.head.fields.authorization.map { text($0) },
      framing: scanner.head.framing, isPersistent: scanner.head.isPersistent, expectsContinue: scanner.head.fields.expectsContinue,
      forwarded: forwarded(bytes, scanner.head.fieldLines, scanner.head.fields.cuts), rest: latin1(bytes[scanner.head.byteCount...])))
  }
  return .incomplete
}

func readResponse(
  _ text: String, to method: MethodKind = .get, step: Int? = nil, limits: WireLimits = WireLimits()
) -> Reading<ReadResponse> {
  readResponse(bytes(of: text), to: method, step: step, limits: limits)
}

func readResponse(
  _ bytes: [UInt8], to method: MethodKind = .get, step: Int? = nil, limits: WireLimits = WireLimits()
) -> Reading<ReadResponse> {
  var scanner = ResponseScanner(limits: limits)
  for count in steps(bytes.count, step) {
    do {
      guard try scanner.scan(bytes.span.extracting(0..<count), answering: method) else { continue }
    } catch {
      return .refused(error)
    }
    return .read(ReadResponse(
      statusAndReason: latin1(bytes[scanner.head.statusAndReason.range]), framing: scanner.head.framing, isPersistent: scanner.head.isPersistent,
      forwarded: forwarded(bytes, scanner.head.fieldLines, scanner.head.fields.cuts),
      rest: latin1(bytes[scanner.head.byteCount...])))
  }
  return .incomplete
}

/// What a body was read as.
struct ReadBody: Equatable {
  var content: String
  var wireCount: Int
  var isComplete: Bool
}

func readBody(_ text: String, _ framing: BodyFraming, step: Int? = nil) -> Reading<ReadBody> {
  readBody(bytes(of: text), framing, step: step)
}

func readBody(_ bytes: [UInt8], _ framing: BodyFraming, step: Int? = nil) -> Reading<ReadBody> {
  var reader = BodyReader(framing)
  var content: [UInt8] = []
  var taken = 0
  for count in steps(bytes.count, step) {
    while taken < count, !reader.isComplete {
      let part = bytes.span.extracting(taken..<count)
      do {
        let found = try reader.advance(part)
        if found.wireCount == 0 { break }
        content += bytes[(taken + found.content.lowerBound)..<(taken + found.content.upperBound)]
        taken += found.wireCount
      } catch {
        return .refused(error)
      }
    }
  }
  return .read(ReadBody(content: latin1(content[...]), wireCount: taken, isComplete: reader.isComplete))
}

private func steps(_ count: Int, _ step: Int?) -> [Int] {
  guard let step else { return [count] }
  return Array(stride(from: step, to: count, by: step)) + [count]
}

private func forwarded(_ bytes: [UInt8], _ lines: Range<Int>, _ cuts: borrowing CutList) -> [String] {
  var kept: [UInt8] = []
  var position = lines.lowerBound
  for index in 0..<cuts.count {
    kept += bytes[position..<cuts[index].range.lowerBound]
    position = cuts[index].range.upperBound
  }
  kept += bytes[position..<lines.upperBound]
  return latin1(kept[...]).split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init)
}

/// Characters up to U+00FF stand for one byte each, so that tests can write any byte.
func bytes(of text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

func latin1(_ bytes: ArraySlice<UInt8>) -> String {
  var text = String.UnicodeScalarView()
  for byte in bytes { text.append(Unicode.Scalar(byte)) }
  return String(text)
}
