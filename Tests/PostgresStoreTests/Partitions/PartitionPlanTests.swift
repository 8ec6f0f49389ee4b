import OAuthCore
import Testing

@testable import PostgresStore

@Suite("Partition plan")
struct PartitionPlanTests {
  private let table = PartitionedTable(
    name: "t", keyColumn: "locator", expiryColumn: "expires_at", width: .seconds(100), ahead: .seconds(250),
    kept: .seconds(30))

  private func plan(_ existing: [PartitionSpan], at seconds: Int64) -> PartitionPlan {
    PartitionPlan(table, existing: existing, at: Timestamp(seconds: seconds))
  }

  @Test("an empty table gets partitions from one width before now to beyond the time ahead")
  func empty() {
    let spans = plan([], at: 1020).creates
    #expect(spans.first == PartitionSpan(from: 900, until: 1000))
    #expect(spans.last == PartitionSpan(from: 1200, until: 1300))
    for (left, right) in zip(spans, spans.dropFirst()) { #expect(left.until == right.from) }
  }

  @Test("a partition that could be dropped at once is not made")
  func noFlapping() {
    for seconds in Int64(1000)...1100 {
      let creates = plan([], at: seconds).creates
      #expect(plan(creates, at: seconds).drops.isEmpty)
    }
  }

  @Test("nothing is due once the plan is carried out, until time has passed")
  func settled() {
    let existing = plan([], at: 1050).creates
    #expect(plan(existing, at: 1050) == plan(existing, at: 1099))
    #expect(plan(existing, at: 1050).creates.isEmpty && plan(existing, at: 1050).drops.isEmpty)
    #expect(plan(existing, at: 1150).creates == [PartitionSpan(from: 1400, until: 1500)])
    #expect(plan(existing, at: 1150).drops == [PartitionSpan(from: 1000, until: 1100)])
  }

  @Test("a partition is dropped when all that it may hold has expired, and not before")
  func drops() {
    let existing = [PartitionSpan(from: 900, until: 1000), PartitionSpan(from: 800, until: 900)]
    #expect(plan(existing, at: 930).drops.isEmpty)
    #expect(plan(existing, at: 931).drops == [PartitionSpan(from: 800, until: 900)])
    #expect(plan(existing, at: 1031).drops == [PartitionSpan(from: 800, until: 900), PartitionSpan(from: 900, until: 1000)])
  }

  @Test("partitions of another width are neither overlapped nor left with a gap")
  func otherWidths() {
    let existing = [PartitionSpan(from: 900, until: 1030), PartitionSpan(from: 1250, until: 1260)]
    var spans = plan(existing, at: 1050).creates + existing
    spans.sort { $0.from < $1.from }
    for (left, right) in zip(spans, spans.dropFirst()) { #expect(left.until == right.from) }
    #expect(spans.first?.from == 900 && (spans.last?.until ?? 0) > 1300)
  }

  @Test("a partition's name tells its span; the default partition has none")
  func names() {
    let span = PartitionSpan(from: 1_795_370_400, until: 1_795_392_000)
    #expect(span.partitionName(of: "access_token") == "access_token_1795370400_1795392000")
    #expect(PartitionSpan(partition: "access_token_1795370400_1795392000", of: "access_token") == span)
    for name in ["access_token_default", "access_token_1", "access_token_5_5", "once_1_2", "access_token_a_b"] {
      #expect(PartitionSpan(partition: name, of: "access_token") == nil)
    }
  }
}
