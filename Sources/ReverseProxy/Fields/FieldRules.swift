/// Which header fields the data plane gives a meaning of its own. The wire (`HTTPWire`) cuts connection fields, the
/// caller's token and claims about the caller from every head; here is what depends on a route.
///
/// Names compare without case and with `_` read as `-`: CGI, WSGI and their heirs turn both into the same variable.
///
/// Source: RFC 9110 §7.6.1; RFC 3875 §4.1.18.
public enum FieldRules {
  /// The name under which an upstream's `WWW-Authenticate` passes: its challenge is for the credential that Postern
  /// presented, and a caller that believed it was meant would send its own. Source: RFC 9110 §11.6.1.
  public static let renamedChallenge = "Upstream-WWW-Authenticate"

  /// Whether a route may put its credential into a field of this name: any but those that frame or route the message, and
  /// those that Postern sets itself.
  ///
  /// - Parameter name: as configured.
  public static func canCarryCredential(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else { return false }
    let normalized = String(decoding: name.utf8.map(normalizedFieldByte), as: UTF8.self)
    return !reservedNames.contains(normalized) && !reservedPrefixes.contains { normalized.hasPrefix($0) }
  }

  private static let reservedPrefixes = ["proxy-", "x-forwarded-", "content-"]
  private static let reservedNames: Set<String> = [
    "connection", "cookie", "expect", "forwarded", "host", "http2-settings", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade", "via", "x-real-ip", "x-request-id",
  ]
}

extension Route {
  /// Lower-case names of the request fields that this route removes beyond those the wire cuts: the one that carries its
  /// own credential, so that the upstream sees one only.
  public var strippedFields: [[UInt8]] {
    guard let name = credential.fieldName else { return [] }
    let normalized = name.utf8.map(normalizedFieldByte)
    return normalized.elementsEqual("authorization".utf8) ? [] : [normalized]
  }
}

/// Lower case, with `_` as `-`.
private func normalizedFieldByte(_ byte: UInt8) -> UInt8 {
  byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : asciiLowercased(byte)
}
