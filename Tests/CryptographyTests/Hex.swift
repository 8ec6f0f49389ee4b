/// Bytes written as hexadecimal digits, as the vectors of the standards are.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  precondition(digits.count % 2 == 0, "hexadecimal digits come in pairs")
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }
