/// Reads the field lines of a head, one by one, and keeps what framing and forwarding need to know.
///
/// Only whole lines are taken, so reading can stop at any byte and go on later: no line is read twice once it is complete.
public struct FieldSection: ~Copyable, Sendable {
  /// Line bytes that are not forwarded: connection fields, and fields that Postern sets anew.
  public internal(set) var cuts = CutList()
  public internal(set) var fieldCount = 0
  /// Field value of `Host`.
  public internal(set) var host: ByteRange?
  /// Field value of `Authorization`.
  public internal(set) var authorization: ByteRange?
  public internal(set) var contentLength: UInt64?
  public internal(set) var isChunked = false
  public internal(set) var asksToClose = false
  public internal(set) var asksToKeepAlive = false
  public internal(set) var expectsContinue = false
  /// `Connection` named `upgrade`; the `Upgrade` field is cut.
  public internal(set) var asksToUpgrade = false
  /// A `Cookie` or `Set-Cookie` line is there.
  public internal(set) var hasCookies = false
  /// A `WWW-Authenticate` line is there.
  public internal(set) var hasChallenges = false
  /// A `Date` line is there, and forwarded.
  public internal(set) var hasDate = false
  /// A `Via` line is there.
  public internal(set) var hasVia = false
  /// Field value of `traceparent`; empty when there were several, which nobody can continue.
  public internal(set) var traceParent: ByteRange?
  /// `Connection` named fields that only a second pass can find.
  private var hasNominations = false

  let isRequest: Bool

  init(isRequest: Bool) { self.isRequest = isRequest }

  // Field by field, since the cuts are most of the section and need no clearing.
  mutating func reset() {
    cuts.removeAll()
    fieldCount = 0
    host = nil
    authorization = nil
    contentLength = nil
    isChunked = false
    asksToClose = false
    asksToKeepAlive = false
    expectsContinue = false
    asksToUpgrade = false
    hasCookies = false
    hasChallenges = false
    hasDate = false
    hasVia = false
    traceParent = nil
    hasNominations = false
  }

  /// Takes one field line.
  ///
  /// - Returns: where the next line starts; nil when the line is not complete yet.
  mutating func takeLine(_ bytes: Span<UInt8>, at start: Int) throws(WireError) -> Int? {
    guard let line = try FieldLine(bytes, at: start) else { return nil }
    fieldCount &+= 1
    let whole = ByteRange(start, line.end)
    switch FieldRole(bytes, line.name, isRequest: isRequest) {
    case .carried: break
    case .dropped: try cuts.append(whole)
    case .cookie: hasCookies = true
    case .challenge: hasChallenges = true
    case .date: hasDate = true
    case .via: hasVia = true
    case .traceParent:
      traceParent = traceParent == nil ? line.value : .empty
      try cuts.append(whole)
    case .connection:
      try takeConnection(bytes, line.value)
      try cuts.append(whole)
    case .host:
      guard host == nil, bytes.isAuthority(line.value) else { throw .badHost }
      host = line.value
      try cuts.append(whole)
    case .authorization:
      guard authorization == nil else { throw .repeatedAuthorization }
      authorization = line.value
      try cuts.append(whole)
    case .contentLength:
      guard contentLength == nil, let length = bytes.contentLength(line.value) else { throw .badContentLength }
      contentLength = length
    case .transferEncoding:
      guard !isChunked, bytes.equalsIgnoringCase("chunked", line.value) else { throw .badTransferEncoding }
      isChunked = true
    case .expect:
      guard !expectsContinue, bytes.equalsIgnoringCase("100-continue", line.value) else { throw .unknownExpectation }
      expectsContinue = true
    }
    return line.end
  }

  /// The rules that need all lines.
  ///
  /// - Parameter fields: where the first field line starts and the empty line ends the section.
  mutating func finish(_ bytes: Span<UInt8>, fields: Range<Int>) throws(WireError) {
    guard !isChunked || contentLength == nil else { throw .ambiguousLength }
    if hasNominations { try cutNominated(bytes, fields) }
  }

  // MARK: Connection

  private mutating func takeConnection(_ bytes: Span<UInt8>, _ value: ByteRange) throws(WireError) {
    var list = TokenList(value)
    while let option = try list.next(bytes) {
      if bytes.equalsIgnoringCase("close", option) {
        asksToClose = true
      } else if bytes.equalsIgnoringCase("keep-alive", option) {
        asksToKeepAlive = true
      } else if bytes.equalsIgnoringCase("upgrade", option) {
        asksToUpgrade = true
      } else if !bytes.equalsIgnoringCase("te", option) {
        // Removing such a field for someone else would change what the message is, or whom it is for.
        switch FieldRole(bytes, option, isRequest: isRequest) {
        case .host, .authorization, .contentLength, .transferEncoding, .expect: throw .badConnection
        case .carried, .dropped, .connection, .cookie, .via, .traceParent, .challenge, .date: hasNominations = true
        }
      }
    }
  }

  /// Options that one message may nominate; more is an attempt to make us work.
  private static let nominationCountMax = 16

  /// Reads every line again, now that it is known which names `Connection` nominates.
  private mutating func cutNominated(_ bytes: Span<UInt8>, _ fields: Range<Int>) throws(WireError) {
    var nominated = InlineArray<16, ByteRange>(repeating: .empty)
    var count = 0
    var lines = FieldLines(fields)
    while let line = lines.next(bytes) {
      guard case .connection = FieldRole(bytes, line.name, isRequest: isRequest) else { continue }
      var list = TokenList(line.value)
      while let option = try list.next(bytes) {
        guard count < FieldSection.nominationCountMax else { throw .badConnection }
        nominated[count] = option
        count += 1
      }
    }
    cuts.removeAll()
    lines = FieldLines(fields)
    while let line = lines.next(bytes) {
      let role = FieldRole(bytes, line.name, isRequest: isRequest)
      switch role {
      case .dropped, .connection, .host, .authorization, .traceParent: try cuts.append(line.whole)
      case .contentLength, .transferEncoding, .expect: break
      case .carried, .cookie, .via, .challenge, .date:
        let isNominated = (0..<count).contains { bytes.equalIgnoringCase(nominated[$0], line.name) }
        guard isNominated else { continue }
        try cuts.append(line.whole)
        if role == .date { hasDate = false }
      }
    }
  }
}
