/// Which header fields a message loses on its way through the gateway. What Postern adds comes afterwards, so no caller can
/// name a field that removes it.
///
/// Names compare without case and with `_` read as `-`: CGI, WSGI and their heirs turn both into the same variable, so
/// `X_Forwarded_For` would otherwise pass as a caller's own `X-Forwarded-For`.
///
/// Source: RFC 9110 §7.6.1 for hop-by-hop fields; RFC 7239 §4 for `Forwarded`; RFC 3875 §4.1.18 for the variables.
public enum FieldRules {
  /// Whether a request field is kept from the upstream, whatever the route.
  ///
  /// Fields that `Connection` nominates go as well; only the reader of the whole head knows them. `Authorization` always
  /// goes: the caller's token never reaches an upstream.
  public static func stripsFromRequest(_ name: Span<UInt8>) -> Bool {
    if name.hasNormalizedPrefix("proxy-") || name.hasNormalizedPrefix("x-forwarded-") { return true }
    for own in requestFields where name.isNormalized(own) { return true }
    return false
  }

  /// Whether a response field is kept from the caller.
  public static func stripsFromResponse(_ name: Span<UInt8>) -> Bool {
    for own in responseFields where name.isNormalized(own) { return true }
    return false
  }

  /// The name under which an upstream's `WWW-Authenticate` passes: its challenge is for the credential that Postern
  /// presented, and a caller that believed it was meant would send its own credentials. Source: RFC 9110 §11.6.1.
  public static let renamedChallenge = "Upstream-WWW-Authenticate"

  private static let requestFields: [StaticString] = [
    "authorization", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "forwarded",
    "x-real-ip", "x-request-id", "http2-settings", "client-cert", "client-cert-chain",
  ]

  private static let responseFields: [StaticString] = [
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info", "te", "trailer",
    "transfer-encoding", "upgrade", "x-request-id",
  ]
}

extension Route {
  /// Lower-case names of the request fields that this route removes beyond `FieldRules`: the one that carries its own
  /// credential, so that nobody sends a second.
  public var strippedFields: [[UInt8]] {
    guard let name = credential.fieldName else { return [] }
    let normalized = name.utf8.map(normalizedFieldByte)
    return normalized.span.isNormalized("authorization") ? [] : [normalized]
  }
}

/// Lower case, with `_` as `-`.
@inline(__always)
public func normalizedFieldByte(_ byte: UInt8) -> UInt8 {
  byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : asciiLowercased(byte)
}

extension Span<UInt8> {
  fileprivate func isNormalized(_ name: StaticString) -> Bool {
    count == name.utf8CodeUnitCount && hasNormalizedPrefix(name)
  }

  fileprivate func hasNormalizedPrefix(_ prefix: StaticString) -> Bool {
    guard count >= prefix.utf8CodeUnitCount else { return false }
    return prefix.withUTF8Buffer { bytes in
      for index in bytes.indices where normalizedFieldByte(self[index]) != bytes[index] { return false }
      return true
    }
  }
}
