import HTTPWire

/// A `CrossOriginRule` with everything prepared: what a request's `Origin` makes of its response.
public struct CrossOriginAnswers: Sendable {
  private let rule: CrossOriginRule
  /// Serialized origins with what their scripts are told.
  private let listed: [(origin: [UInt8], permission: HTTPFields, block: FieldBlock)]
  /// For an origin that is not listed, and for requests that name none.
  private let stranger: FieldBlock
  private let anybody: FieldBlock

  public init(_ rule: CrossOriginRule) {
    self.rule = rule
    let exposure = (CrossOriginRule.ownFields + rule.exposedFields).joined(separator: ", ")
    var origins: [Origin] = []
    if case .listed(let named) = rule.origins { origins = named }
    listed = origins.map { origin in
      // Caches must not give one origin's answer to another.
      var permission: HTTPFields = ["Access-Control-Allow-Origin": origin.description, "Vary": "Origin"]
      if rule.allowsCredentials { permission.append("Access-Control-Allow-Credentials", "true") }
      var fields = permission
      fields.append("Access-Control-Expose-Headers", exposure)
      return (Array(origin.description.utf8), permission, FieldBlock(fields))
    }
    stranger = FieldBlock(["Vary": "Origin"])
    anybody = FieldBlock(["Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": exposure])
  }

  /// What is added to every response of the route, forwarded ones and Postern's own.
  ///
  /// - Parameter origin: the value of the request's one `Origin` field; nil: it has none, or several.
  public func block(for origin: Span<UInt8>?) -> FieldBlock {
    if rule.origins == .any { return anybody }
    guard let origin, let index = index(of: origin) else { return stranger }
    return listed[index].block
  }

  /// The fields of the answer to a preflight; its status is 204 either way, and what it lacks the browser refuses.
  ///
  /// - Parameters:
  ///   - origin: the value of the request's one `Origin` field.
  ///   - method: what `Access-Control-Request-Method` asks for, which the route serves.
  public func preflight(from origin: Span<UInt8>, asking method: RequestMethod) -> HTTPFields {
    var fields: HTTPFields
    if rule.origins == .any {
      fields = ["Access-Control-Allow-Origin": "*"]
    } else {
      guard let index = index(of: origin) else { return stranger.fields }
      fields = listed[index].permission
    }
    fields.append("Access-Control-Allow-Methods", (rule.methods ?? [method]).map(\.rawValue).joined(separator: ", "))
    if !rule.requestFields.isEmpty {
      fields.append("Access-Control-Allow-Headers", rule.requestFields.joined(separator: ", "))
    }
    fields.append("Access-Control-Max-Age", String(rule.maxAge.components.seconds))
    return fields
  }

  /// Byte for byte, as Fetch §4.9 compares: browsers have one way to write an origin.
  private func index(of origin: Span<UInt8>) -> Int? {
    listed.firstIndex { known in
      guard known.origin.count == origin.count else { return false }
      for index in known.origin.indices where known.origin[index] != origin[index] { return false }
      return true
    }
  }

  /// Whether a response field of an upstream is withheld: who may read a response is for the route to say.
  ///
  /// - Parameter name: as received.
  public static func isOwn(responseField name: Span<UInt8>) -> Bool {
    let prefix: StaticString = "access-control-"
    guard name.count > prefix.utf8CodeUnitCount else { return false }
    return prefix.withUTF8Buffer { bytes in
      for index in bytes.indices where asciiLowercased(name[index]) != bytes[index] { return false }
      return true
    }
  }
}
