extension YAMLValue {
  /// `500ms`, `15s`, `10m`, `2h`, `14d`: a whole number and its unit.
  func duration(in range: ClosedRange<Duration>) -> Duration? {
    guard let text else { return nil }
    guard let (count, unit) = quantity(text, ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]) else {
      return fault("\(path) must be a duration such as 500ms, 15s, 10m, 2h or 14d, not \"\(text)\"")
    }
    let (milliseconds, isTooLong) = count.multipliedReportingOverflow(by: unit)
    let duration = Duration.milliseconds(milliseconds)
    guard !isTooLong, range.contains(duration) else {
      return fault("\(path) must be from \(spelled(range.lowerBound)) to \(spelled(range.upperBound)), not \(text)")
    }
    return duration
  }

  /// `512B`, `64KiB`, `10MiB`, `1GiB`: bytes.
  func byteCount(in range: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    return bytes(text, "a size such as 512B, 64KiB, 10MiB or 1GiB", in: range, suffix: "")
  }

  /// `1KiB/s`: bytes a second.
  func byteRate(in range: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    guard text.hasSuffix("/s") else {
      return fault("\(path) must be a rate such as 1KiB/s, not \"\(text)\"")
    }
    return bytes(String(text.dropLast(2)), "a rate such as 1KiB/s", in: range, suffix: "/s")
  }

  /// A whole number without unit.
  func count(in range: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    guard let (count, _) = quantity(text, ["": 1]) else {
      return fault("\(path) must be a whole number, not \"\(text)\"")
    }
    guard range.contains(count) else {
      return fault("\(path) must be from \(range.lowerBound) to \(range.upperBound), not \(text)")
    }
    return count
  }

  /// `20%`: a whole number of hundredths.
  func percent(in range: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    guard let (percent, _) = quantity(text, ["%": 1]) else {
      return fault("\(path) must be a share such as 20%, not \"\(text)\"")
    }
    guard range.contains(percent) else {
      return fault("\(path) must be from \(range.lowerBound)% to \(range.upperBound)%, not \(text)")
    }
    return percent
  }

  private func bytes(_ text: String, _ form: String, in range: ClosedRange<Int>, suffix: String) -> Int? {
    guard let (count, unit) = quantity(text, ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]) else {
      return fault("\(path) must be \(form), not \"\(text)\(suffix)\"")
    }
    let (bytes, isTooMany) = count.multipliedReportingOverflow(by: unit)
    guard !isTooMany, range.contains(bytes) else {
      return fault(
        "\(path) must be from \(range.lowerBound)B\(suffix) to \(range.upperBound)B\(suffix), not \(text)\(suffix)")
    }
    return bytes
  }
}

/// A whole number directly followed by one of the units; nil for anything else.
private func quantity(_ text: String, _ units: [String: Int]) -> (count: Int, unit: Int)? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  guard let count = Int(digits), let unit = units[String(text[digits.endIndex...])] else { return nil }
  return (count, unit)
}

/// In the largest unit that leaves a whole number.
private func spelled(_ duration: Duration) -> String {
  let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
  let units: [(String, Int64)] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
  let largest = units.first { milliseconds >= $0.1 && milliseconds % $0.1 == 0 }
  return largest.map { "\(milliseconds / $0.1)\($0.0)" } ?? "\(milliseconds)ms"
}
