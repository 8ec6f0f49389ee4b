/// Which fields may stand behind a chunked body.
enum TrailerFields {
  /// Fields that decide something before the body is read: conditionals and controls of a request, control data of a
  /// response, and what says how content is to be processed. A recipient that merges trailers into the head would take
  /// them as said there. Source: RFC 9110 §6.5.1; RFC 7230 §4.1.2 for the list.
  private static let forbidden: [StaticString] = [
    "age", "cache-control", "content-encoding", "content-location", "content-range", "content-type", "date", "expires",
    "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "location", "max-forwards",
    "origin", "pragma", "range", "retry-after", "trailer", "vary", "warning",
  ]

  /// Nor framing, routing and authentication, in either direction: a name that has any other role than to be carried.
  static func mayHold(_ bytes: Span<UInt8>, _ name: ByteRange) -> Bool {
    FieldRole(bytes, name, isRequest: true) == .carried && FieldRole(bytes, name, isRequest: false) == .carried
      && !forbidden.contains { $0.utf8CodeUnitCount == name.count && bytes.foldedEquals($0, at: Int(name.start)) }
  }
}
