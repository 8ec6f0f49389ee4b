import OAuthCore

/// The time that one partition spans, in whole seconds since 1970: `from` inclusive, `until` exclusive.
///
/// It stands in the partition's name, `access_token_1795370400_1795392000`, so that tables cut at other widths by other
/// versions stay readable.
struct PartitionSpan: Sendable, Hashable {
  var from: Int64
  var until: Int64

  init(from: Int64, until: Int64) {
    self.from = from
    self.until = until
  }

  /// nil when `partition` is not a dated partition of `table`: the default one.
  init?(partition: String, of table: String) {
    guard partition.hasPrefix(table + "_") else { return nil }
    let numbers = partition.dropFirst(table.count + 1).split(separator: "_").map { Int64($0) }
    guard numbers.count == 2, let from = numbers[0], let until = numbers[1], from < until else { return nil }
    self.init(from: from, until: until)
  }

  func partitionName(of table: String) -> String { "\(table)_\(from)_\(until)" }
}

/// What a table's partitions need now. Pure; `Maintenance` carries it out.
struct PartitionPlan: Sendable, Equatable {
  var creates: [PartitionSpan]
  var drops: [PartitionSpan]

  /// Partitions reach from one width before now, for what was named a moment before the first start, to `ahead` after
  /// it. Where one of another width stands, the next begins at its end.
  init(_ table: PartitionedTable, existing: [PartitionSpan], at now: Timestamp) {
    let width = table.width.components.seconds
    let kept = table.kept.components.seconds
    let end = now.seconds + table.ahead.components.seconds
    creates = []
    var start = Self.floor(now.seconds, width) - width
    // What could be dropped at once is not made.
    if start + width + kept < now.seconds { start += width }
    while start <= end {
      if let occupant = existing.first(where: { $0.from <= start && start < $0.until }) {
        start = occupant.until
        continue
      }
      let next = existing.map(\.from).filter { $0 > start }.min() ?? .max
      let span = PartitionSpan(from: start, until: min(Self.floor(start, width) + width, next))
      creates.append(span)
      start = span.until
    }
    drops = existing.filter { $0.until + kept < now.seconds }.sorted { $0.from < $1.from }
  }

  /// The last multiple of `width` that is not after `seconds`.
  private static func floor(_ seconds: Int64, _ width: Int64) -> Int64 {
    seconds - ((seconds % width) + width) % width
  }
}
