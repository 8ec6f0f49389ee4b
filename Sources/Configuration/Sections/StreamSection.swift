import ReverseProxy

extension Section {
  /// What a route lets last, and what ends it: `streams: { websocket, end_on_revoke, end_on_expiry }`.
  func streams(of access: AccessPolicy?) -> StreamRules? {
    var rules = StreamRules()
    if access?.isAnonymous == true {
      for key in ["end_on_revoke", "end_on_expiry"] {
        member(key)?.fault("\(value.path).\(key): an anonymous route has no token whose end could end anything")
      }
    }
    replace(&rules.allowsWebSocket, "websocket") { $0.boolean }
    replace(&rules.endsOnRevocation, "end_on_revoke") { $0.boolean }
    replace(&rules.expiryGrace, "end_on_expiry") { value -> Duration?? in
      // `false`, or a mapping with the grace.
      if case .scalar = value.node { return value.boolean.map { $0 ? StreamRules.expiryGraceDefault : nil } }
      return value.section { section in
        section.optional("grace", default: StreamRules.expiryGraceDefault) { $0.duration(in: .zero...(.seconds(86_400))) }
          .map(Optional.some)
      }
    }
    return rules
  }
}
