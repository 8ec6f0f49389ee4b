/// The grants this server offers. Immutable; built once at start.
public struct GrantRegistry: Sendable {
  /// Why the process must not start. Each is a sentence for whoever composes the server.
  public enum Mistake: Error, Sendable, Equatable, CustomStringConvertible {
    case duplicate(GrantType)
    case reserved(GrantType)
    case badName(GrantType)
    case coreParameter(GrantType, parameter: String)

    public var description: String {
      switch self {
      case .duplicate(let type): "The grant '\(type)' is registered twice; remove one of the two."
      case .reserved(let type): "The grant '\(type)' is not offered: RFC 9700 §2.1.2 and §2.4 forbid it."
      case .badName(let type):
        "'\(type)' is not a grant type: use a registered name or an absolute URI (RFC 6749 §4.5)."
      case .coreParameter(let type, let parameter):
        "The grant '\(type)' declares '\(parameter)', which the token endpoint reads itself."
      }
    }
  }

  /// Refused whoever asks. Source: RFC 9700 §2.4 (`password`), §2.1.2 (`implicit`).
  public static let reserved: Set<GrantType> = [GrantType("password"), GrantType("implicit")]

  /// What the token endpoint itself reads, before any grant does.
  static let coreParameters: Set<String> = ["grant_type", "client_id", "client_secret"]

  private let grants: [GrantType: RegisteredGrant]
  /// In the order of registration.
  public let descriptors: [GrantDescriptor]

  public init(_ handlers: [any GrantHandler]) throws(Mistake) {
    var grants: [GrantType: RegisteredGrant] = [:]
    var descriptors: [GrantDescriptor] = []
    for handler in handlers {
      let grant = RegisteredGrant(handler)
      let type = grant.descriptor.grantType
      guard !Self.reserved.contains(type) else { throw .reserved(type) }
      guard isGrantType(type) else { throw .badName(type) }
      guard grants[type] == nil else { throw .duplicate(type) }
      for parameter in grant.descriptor.parameters where Self.coreParameters.contains(parameter.name) {
        throw .coreParameter(type, parameter: parameter.name)
      }
      grants[type] = grant
      descriptors.append(grant.descriptor)
    }
    self.grants = grants
    self.descriptors = descriptors
  }

  public var grantTypes: [GrantType] { descriptors.map(\.grantType) }

  public func contains(_ type: GrantType) -> Bool { grants[type] != nil }

  /// Whether the grant says that a parameter may occur more than once.
  func mayRepeat(_ parameter: String, in type: GrantType?) -> Bool {
    guard let type, let grant = grants[type] else { return false }
    return grant.descriptor.parameters.contains { $0.name == parameter && $0.presence == .repeatable }
  }

  /// - Throws: `unsupported_grant_type`.
  func grant(_ type: GrantType) throws(OAuthError) -> RegisteredGrant {
    guard let grant = grants[type] else {
      throw OAuthError(.unsupportedGrantType, "this grant type is not offered here")
    }
    return grant
  }
}

/// `grant-name = 1*name-char`, `name-char = "-" / "." / "_" / DIGIT / ALPHA`, or an absolute URI.
/// Source: RFC 6749 appendix A.10.
private func isGrantType(_ type: GrantType) -> Bool {
  let text = type.rawValue
  let isURI = text.utf8.contains(UInt8(ascii: ":"))
  return !text.isEmpty
    && text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
      default: isURI && (0x21...0x7e).contains(byte) && byte != 0x22 && byte != 0x5c
      }
    }
}

/// A handler whose `Request` type is out of sight: parsing yields the rest of the work as a closure.
struct RegisteredGrant: Sendable {
  typealias Planner = @Sendable (GrantContext) async throws(OAuthError) -> IssuancePlan

  let descriptor: GrantDescriptor
  /// `GrantHandler.parse`, ready to plan.
  let parse: @Sendable (GrantForm) throws(OAuthError) -> Planner

  init(_ handler: some GrantHandler) {
    descriptor = handler.descriptor
    parse = { (form) throws(OAuthError) -> Planner in
      let request = try handler.parse(form)
      return { (context) async throws(OAuthError) -> IssuancePlan in try await handler.plan(request, context) }
    }
  }
}

extension GrantDescriptor {
  /// Cuts a form down to what is declared.
  ///
  /// - Parameter form: without forbidden repeats.
  /// - Throws: `invalid_request` when a parameter is missing or too long.
  func select(from form: Form) throws(OAuthError) -> GrantForm {
    var values: [String: [String]] = [:]
    for parameter in parameters {
      let found = form.all(parameter.name)
      guard !found.isEmpty else {
        if parameter.presence == .required {
          throw OAuthError(.invalidRequest, "a parameter is missing: \(parameter.name)")
        }
        continue
      }
      for value in found where value.utf8.count > parameter.byteCountMax {
        throw OAuthError(.invalidRequest, "a parameter is too long: \(parameter.name)")
      }
      values[parameter.name] = found
    }
    return GrantForm(values)
  }
}

/// A parameter name from outside, fit for `error_description`: `%x20-21 / %x23-5B / %x5D-7E`. Source: RFC 6749 §5.2.
func legible(_ name: String) -> String {
  String(
    decoding: name.utf8.prefix(40).map { (0x20...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c ? $0 : 0x3f },
    as: UTF8.self)
}
