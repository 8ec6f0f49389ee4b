/// `; did you mean "x"?` for the nearest name, or nothing when none is near.
func didYouMean(_ name: String, among candidates: some Sequence<String>) -> String {
  let distances = candidates.map { ($0, editDistance(Array(name.lowercased()), Array($0.lowercased()))) }
  guard let (nearest, distance) = distances.min(by: { $0.1 < $1.1 }), distance <= max(1, nearest.count / 3)
  else { return "" }
  return "; did you mean \"\(nearest)\"?"
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one name into the other (optimal string
/// alignment).
func editDistance(_ left: [Character], _ right: [Character]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for (row, leftCharacter) in left.enumerated() {
    var current = [row + 1]
    for (column, rightCharacter) in right.enumerated() {
      let substituted = last[column] + (leftCharacter == rightCharacter ? 0 : 1)
      var best = min(substituted, last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, leftCharacter == right[column - 1], left[row - 1] == rightCharacter {
        best = min(best, beforeLast[column - 1] + 1)
      }
      current.append(best)
    }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}
