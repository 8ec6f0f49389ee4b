import OAuthCore

extension YAMLValue {
  /// Where browsers that followed a connect ticket may be sent afterwards.
  var connectReturnURIs: [String]? {
    section { section in
      section.optional("return_to", default: []) { value in
        value.uniqueList { element in
          guard let text = element.text else { return nil }
          if let objection = RedirectURI.objection(to: text) { return element.fault("\(element.path) \(objection)") }
          return text
        }
      }
    }
  }
}
