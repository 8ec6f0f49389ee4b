import Broker

extension Section {
  /// Where the provider differs from what the standards say; nil when a member is faulty.
  var providerQuirks: ProviderQuirks? {
    var quirks = ProviderQuirks()
    replace(&quirks.scopeSeparator, "scope_separator") { $0.choice([(" ", " "), (",", ",")]) }
    replace(&quirks.scopeParameter, "scope_parameter") { $0.text }
    replace(&quirks.resourcesAt, "resources_at") { value in
      value.uniqueList { $0.choice(ProviderQuirks.RequestKind.self) }.map(Set.init)
    }
    replace(&quirks.invalidGrantCodes, "invalid_grant_codes") { value in
      value.uniqueList { $0.text }.map(Set.init)
    }
    quirks.tokenMember = optional("token_member") { $0.text }
    quirks.tokenType = optional("token_type") { $0.text }
    guard let parameters = optional("authorize_parameters", default: [], { $0.authorizeParameters }) else { return nil }
    quirks.authorizeParameters = parameters
    return quirks
  }
}

extension YAMLValue {
  fileprivate var authorizeParameters: [ProviderQuirks.Parameter]? {
    members { name, key, value in
      guard !ProviderQuirks.ownParameters.contains(name) else {
        return key.fault("\(path): \(name) is Postern's own parameter; a flow would not be safe without it")
      }
      return value.text.map { ProviderQuirks.Parameter(name: name, value: $0) }
    }
  }
}
