import ReverseProxy

extension YAMLValue {
  /// A route's `cors`.
  var crossOriginRule: CrossOriginRule? {
    section { section in
      let origins = section.required("origins", "such as [https://app.example]") { $0.crossOrigins }
      let credentials = section.optional("credentials", default: false) { $0.boolean }
      let methods = section.optional("methods", default: nil) { value -> [RequestMethod]?? in
        value.uniqueList { $0.requestMethod }.map { .some($0) }
      }
      let headers = section.optional("headers", default: CrossOriginRule.requestFieldsDefault) { value in
        value.uniqueList { $0.crossOriginField }
      }
      let expose = section.optional("expose", default: []) { value in value.uniqueList { $0.crossOriginField } }
      let maxAge = section.optional("max_age", default: CrossOriginRule.maxAgeDefault) {
        $0.duration(in: .seconds(1) ... .seconds(86_400))
      }
      guard let origins, let credentials, let methods, let headers, let expose, let maxAge else { return nil }
      if credentials, origins == .any {
        return fault("\(path): credentials need origins by name: \"*\" would let every site act for its visitors")
      }
      return CrossOriginRule(
        origins: origins, allowsCredentials: credentials, methods: methods, requestFields: headers, exposedFields: expose,
        maxAge: maxAge)
    }
  }

  private var crossOrigins: CrossOriginRule.Origins? {
    guard case .sequence(let names) = node, names.count == 1, names[0].scalar?.string == "*" else {
      let origins = uniqueList { $0.crossOrigin }
      if origins?.isEmpty == true { return fault("\(path) must not be empty") }
      return origins.map { .listed($0) }
    }
    return .any
  }

  /// Plain `http` beyond loopback is whoever sits on the way.
  private var crossOrigin: Origin? {
    guard let text else { return nil }
    if text == "*" { return fault("\(path): \"*\" stands alone") }
    if text == "null" { return fault("\(path): null is the origin of nobody in particular") }
    let origin: Origin
    do { origin = try Origin(text) } catch { return fault("\(path): \(error.description)") }
    guard origin.description == text else { return fault("\(path) must be written \"\(origin)\", as browsers write it") }
    guard origin.scheme == .https || origin.isLoopback else {
      return fault("\(path) must begin with https://; http:// is for loopback addresses only")
    }
    return origin
  }

  /// A field name; `*` would not hold for `Authorization` and, with credentials, for none.
  private var crossOriginField: String? {
    guard let text else { return nil }
    return CrossOriginRule.isFieldName(text) ? text : fault("\(path): \"\(text)\" is no field name")
  }
}
