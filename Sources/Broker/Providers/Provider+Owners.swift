import OAuthCore

extension Provider {
  /// Who owns the credential that is meant when somebody asks for one of `owner`: where nobody connects anything, a subject
  /// has what the provider gives for Postern's word.
  func owner(meaning owner: ConnectionKey.Owner) -> ConnectionKey.Owner {
    guard grant == .tokenExchange, authorization == nil, case .subject(let subject) = owner else { return owner }
    return .exchanged(for: subject)
  }

  func hasCredentials(of owner: ConnectionKey.Owner) -> Bool {
    switch owner {
    case .subject: authorization != nil
    case .exchanged: authorization == nil && grant == .tokenExchange
    case .service: authorization == nil && grant != .tokenExchange
    }
  }
}
