import Broker

extension YAMLValue {
  /// Who hears of what happens to connections.
  var webhooks: [WebhookEndpoint]? {
    var names: Set<String> = []
    return list { element in
      element.section { section in
        let id = section.required("id") { $0.identifier }
        if let id, !names.insert(id).inserted { section.fault("\(section.value.path): there is another webhook \(id)") }
        let url = section.required("url") { $0.endpointURL }
        let secret = section.required("secret", "`whsec_` and 24 to 64 bytes in base64") { $0.webhookSecret }
        let previous = section.optional("previous_secret") { $0.webhookSecret }
        let events = section.optional("events", default: WebhookEvent.allCases) { value in
          value.uniqueList { $0.choice(WebhookEvent.self) }
        }
        var allowHTTP = false
        var allowPrivateAddresses = false
        section.nested("development") { section in
          section.replace(&allowHTTP, "allow_http") { $0.boolean }
          section.replace(&allowPrivateAddresses, "allow_private_addresses") { $0.boolean }
        }
        if let url, url.scheme == .http, !allowHTTP {
          section.member("url")?.fault(
            "\(section.value.path): who is connected where would travel in clear; use https, or development: { allow_http: true }")
        }
        guard let id, let url, let secret, let events else { return nil }
        return WebhookEndpoint(
          id: id, url: url, secret: secret, previousSecret: previous, events: Set(events), allowHTTP: allowHTTP,
          allowPrivateAddresses: allowPrivateAddresses)
      }
    }
  }

  private var webhookSecret: WebhookSecret? {
    guard let secret else { return nil }
    return WebhookSecret(secret) ?? fault("\(path) must be `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)")
  }
}
