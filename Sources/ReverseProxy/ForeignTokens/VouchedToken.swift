import OAuthCore

/// What somebody vouches for, and how long it is believed without asking again.
public struct VouchedToken: Sendable {
  public var facts: TokenFacts
  public var source: TokenSource
  /// From then on the source is asked again; policy looks at the token's own expiry as well.
  public var believedUntil: Timestamp
  /// The same while changes may not reach this process in time.
  public var believedAloneUntil: Timestamp
  /// What ends it before.
  public var endedBy: [Change]

  public init(
    facts: TokenFacts, source: TokenSource, believedUntil: Timestamp, believedAloneUntil: Timestamp, endedBy: [Change]
  ) {
    self.facts = facts
    self.source = source
    self.believedUntil = believedUntil
    self.believedAloneUntil = believedAloneUntil
    self.endedBy = endedBy
  }

  /// A token of somebody else: no change of Postern's own reaches it but those named.
  init(_ facts: TokenFacts, from source: TokenSource, believedUntil: Timestamp, endedBy: [Change] = []) {
    self.init(
      facts: facts, source: source, believedUntil: believedUntil, believedAloneUntil: believedUntil, endedBy: endedBy)
  }
}
