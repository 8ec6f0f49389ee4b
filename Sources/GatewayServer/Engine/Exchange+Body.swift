import HTTPWire
import ReverseProxy

/// The request body, on its way to the upstream.
extension Exchange {
  var isRequestSent: Bool { requestBody.isComplete }

  /// Takes as much of the request body as is there.
  ///
  /// - Returns: how many of `bytes` belong to it.
  /// - Throws: also when a trailer has the name of a field that the route strips from heads: servers that merge the two
  ///   would take the caller's for Postern's.
  func takeBody(_ bytes: Span<UInt8>) throws(WireError) -> Int {
    let taken = try requestBody.advanceAll(bytes)
    guard requestBody.trailerByteCount > 0, let route, !route.strippedFields.isEmpty else { return taken }
    var lines = FieldLines(taken - requestBody.trailerByteCount..<taken - 2)
    while let line = lines.next(bytes) {
      guard !route.strippedFields.contains(where: { bytes.isFieldName(line.name, $0) }) else { throw .badTrailers }
    }
    return taken
  }
}
