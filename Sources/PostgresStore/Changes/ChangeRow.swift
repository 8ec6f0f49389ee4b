import OAuthCore

extension Change {
  /// As it stands in `change_log`; nil for a kind that a newer version of Postern writes.
  init?(kind: String, key: String) {
    switch kind {
    case "access_token_revoked":
      guard let locator = Locator(text: key) else { return nil }
      self = .accessTokenRevoked(locator)
    case "family_revoked":
      guard let locator = Locator(text: key) else { return nil }
      self = .familyRevoked(locator)
    case "session_ended":
      guard let locator = Locator(text: key) else { return nil }
      self = .sessionEnded(locator)
    case "client_changed": self = .clientChanged(ClientID(key))
    case "account_changed": self = .accountChanged(Subject(key))
    case "signing_keys_changed": self = .signingKeysChanged
    case "credential_changed": self = .credentialChanged(provider: key)
    case "connection_changed":
      // A provider's name has no space; a subject may.
      let parts = key.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { return nil }
      self = .connectionChanged(provider: String(parts[0]), Subject(String(parts[1])))
    default: return nil
    }
  }
}
