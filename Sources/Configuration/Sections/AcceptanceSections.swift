import ReverseProxy

/// `accept` of a route: whose tokens it takes.
extension YAMLValue {
  var tokenAcceptances: [TokenAcceptance]? {
    let accepts = uniqueList { $0.tokenAcceptance }
    guard let accepts else { return nil }
    return accepts.isEmpty ? fault("\(path) must name self, or be left out") : accepts
  }

  /// `self` is Postern.
  private var tokenAcceptance: TokenAcceptance? {
    if case .scalar = node, scalar == "self" { return .own }
    return fault("only \"self\" can be accepted: foreign issuers are not available in this version")
  }
}
