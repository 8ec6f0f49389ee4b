import Glibc
import Testing

/// One line of a table: what is sent, and what must come of it.
struct HygieneCase: Sendable {
  enum Outcome: Equatable, Sendable {
    /// Forwarded exactly as `expected`; the connection goes on.
    case forwarded
    /// Forwarded exactly as `expected`; the connection ends after it.
    case forwardedLast
    /// Forwarded exactly as `expected`; what follows it is refused with 400.
    case forwardedThenRefused
    /// Of responses: forwarded exactly as `expected`, and the upstream connection is used again.
    case forwardedAndKept
    /// Answered with this status, nothing forwarded as a whole, connection closed.
    case refused(Int)
    /// Answered with this status, nothing forwarded; the connection goes on.
    case denied(Int)
    /// Of responses: the client sees a broken connection, never a clean end.
    case truncated
  }

  let outcome: Outcome
  let sent: [UInt8]
  let expected: [UInt8]
  /// As written in the table.
  let text: String
}

/// Cases that prove one sentence.
struct HygieneSection: Sendable, CustomTestStringConvertible {
  let title: String
  let method: String
  let cases: [HygieneCase]

  var testDescription: String { title }
}

/// Reads tables of cases. Per line:
///
///     @ title of a section           ? METHOD of the request whose response is tested
///     > what is sent                 < what must be forwarded, Postern's own fields left out
///     verb VALUE [=> VALUE]          of one case
///
/// `\@` in `>` and `<` stands for the case's value; a value behind `=>` is for `<`, or is all of it where `<` has no `\@`.
/// `\r`, `\n`, `\t`, `\\`, `\xHH` are bytes, `\(n*text)` is the text n times, `\!` the end of the upstream's connection.
/// The verbs are those of `HygieneCase.Outcome`: `pass`, `last`, `tail`, `keep`, a status, `deny` and a status, `cut`.
enum HygieneTable {
  static let requests = read("requests-framing") + read("requests-head") + read("requests-paths")
  static let responses = read("responses")

  private static func read(_ name: String) -> [HygieneSection] {
    let path = "\(#filePath.dropLast("HygieneTable.swift".count))Cases/\(name).txt"
    guard let file = fopen(path, "r") else { preconditionFailure("no table at \(path)") }
    defer { fclose(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { text += buffer[..<count] }
    return sections(String(decoding: text, as: UTF8.self))
  }

  private static func sections(_ text: String) -> [HygieneSection] {
    var sections: [HygieneSection] = []
    var (title, method, sent, expected) = ("", "GET", "", "")
    var cases: [HygieneCase] = []
    func finish() {
      if !cases.isEmpty { sections.append(HygieneSection(title: title, method: method, cases: cases)) }
      cases = []
    }
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let rest = String(line.dropFirst(2))
      switch line.first {
      case "@":
        finish()
        (title, method) = (rest, "GET")
      case "?": method = rest
      case ">": sent = rest
      case "<": expected = rest
      default: cases.append(readCase(String(line), sent, expected))
      }
    }
    finish()
    return sections
  }

  private static func readCase(_ line: String, _ sent: String, _ expected: String) -> HygieneCase {
    var words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let outcome: HygieneCase.Outcome
    switch words[0] {
    case "pass": outcome = .forwarded
    case "last": outcome = .forwardedLast
    case "tail": outcome = .forwardedThenRefused
    case "keep": outcome = .forwardedAndKept
    case "cut": outcome = .truncated
    case "deny":
      words = words[1].split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      outcome = .denied(Int(words[0])!)
    default: outcome = .refused(Int(words[0])!)
    }
    let (value, other) = halves(String(words[1]))
    let forwarded = expected.contains("\\@") ? replaced(expected, other ?? value) : other ?? expected
    return HygieneCase(outcome: outcome, sent: bytes(replaced(sent, value)), expected: bytes(forwarded), text: line)
  }

  private static func halves(_ text: String) -> (String, String?) {
    guard let arrow = text.firstRange(of: " => ") else { return (text, nil) }
    return (String(text[..<arrow.lowerBound]), String(text[arrow.upperBound...]))
  }

  private static func replaced(_ template: String, _ value: String) -> String {
    template.replacing("\\@", with: value)
  }

  /// The end of a scripted upstream's connection: no byte of any message.
  static let closing = Array("\\!".utf8)

  private static func bytes(_ text: String) -> [UInt8] { bytes(Array(text.utf8)[...]) }

  private static func bytes(_ source: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = source
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
        result.append(byte)
        continue
      }
      switch kind {
      case UInt8(ascii: "r"): result.append(0x0d)
      case UInt8(ascii: "n"): result.append(0x0a)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "\\"): result.append(kind)
      case UInt8(ascii: "x"):
        result.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)!)
        rest = rest.dropFirst(2)
      case UInt8(ascii: "("):
        let star = rest.firstIndex(of: UInt8(ascii: "*"))!
        let end = rest.firstIndex(of: UInt8(ascii: ")"))!
        let part = bytes(rest[(star + 1)..<end])
        for _ in 0..<Int(String(decoding: rest[..<star], as: UTF8.self))! { result += part }
        rest = rest[(end + 1)...]
      case UInt8(ascii: "!"): result += closing
      default: preconditionFailure("\\\(Unicode.Scalar(kind)) in a table")
      }
    }
    return result
  }
}
