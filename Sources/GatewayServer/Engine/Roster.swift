/// Who is in a `Roster`, and where.
protocol RosterMember: AnyObject {
  /// The roster's to set.
  var position: Int { get set }
}

/// The connections of a kind. Each knows its position, so that thousands that end at once need not be looked for.
struct Roster<Member: RosterMember>: RandomAccessCollection {
  private var members: [Member] = []

  var startIndex: Int { 0 }
  var endIndex: Int { members.count }
  subscript(position: Int) -> Member { members[position] }

  mutating func add(_ member: Member) {
    member.position = members.count
    members.append(member)
  }

  /// Moves the last one into the gap: whoever removes while walking walks from behind.
  mutating func remove(_ member: Member) {
    let last = members.removeLast()
    guard last !== member else { return }
    members[member.position] = last
    last.position = member.position
  }
}
