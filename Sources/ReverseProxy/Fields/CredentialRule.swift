import Broker
import Cryptography

/// What a route puts in the place of the caller's token.
public enum CredentialRule: Sendable, Hashable {
  /// Nothing; the upstream trusts the gateway.
  case none
  /// A fixed key in a field of its own.
  case apiKey(fieldName: String, key: Secret)
  /// Source: RFC 7617 §2.
  case basic(username: String, password: Secret)
  /// A bearer token that Postern obtains for itself from a provider. Source: RFC 6749 §4.4.
  case clientCredentials(provider: ProviderID)

  /// The request field that carries the credential; nil: none.
  public var fieldName: String? {
    switch self {
    case .none: nil
    case .apiKey(let fieldName, _): fieldName
    case .basic, .clientCredentials: "Authorization"
    }
  }

  /// The field's value when it never changes; nil when there is none or a provider must be asked.
  public var fixedValue: Secret? {
    switch self {
    case .none, .clientCredentials: return nil
    case .apiKey(_, let key): return key
    case .basic(let username, let password):
      let pair = Array(username.utf8) + [UInt8(ascii: ":")] + password.exposedBytes
      return Secret(bytes: Array("Basic ".utf8) + base64(pair))
    }
  }
}

/// Source: RFC 4648 §4.
func base64(_ bytes: [UInt8]) -> [UInt8] {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var output: [UInt8] = []
  output.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var word = 0
    for offset in 0..<3 { word = word << 8 | (offset < group.count ? Int(group[start + offset]) : 0) }
    for position in 0..<4 {
      output.append(position <= group.count ? alphabet[word >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
    }
  }
  return output
}
