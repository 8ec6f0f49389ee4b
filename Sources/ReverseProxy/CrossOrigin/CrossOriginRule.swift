/// Which other origins' scripts may use a route, and for what.
///
/// Postern answers preflights itself, since they carry no token, and says on every response of the route who may read it.
/// `null`, the origin of sandboxed frames and local files, is nobody's in particular and never among them.
///
/// Source: WHATWG Fetch §3.3 (CORS protocol).
public struct CrossOriginRule: Sendable, Hashable {
  public enum Origins: Sendable, Hashable {
    /// `*`; never with credentials.
    case any
    case listed([Origin])
  }

  public var origins: Origins
  /// Whether browsers send cookies along.
  public var allowsCredentials: Bool
  /// nil: those the route serves.
  public var methods: [RequestMethod]?
  /// Request fields beside those that need no permission.
  public var requestFields: [String]
  /// Response fields that scripts may read beside those that need no permission and Postern's own.
  public var exposedFields: [String]
  /// How long browsers may remember the answer to a preflight.
  public var maxAge: Duration

  /// What a script needs to send a token and JSON.
  public static let requestFieldsDefault = ["Authorization", "Content-Type"]
  /// Two hours are the most that browsers heed.
  public static let maxAgeDefault: Duration = .seconds(2 * 3600)
  /// What Postern's own answers tell a script in fields.
  static let ownFields = ["WWW-Authenticate", "Retry-After", "RateLimit-Policy", "RateLimit", "X-Request-Id"]

  public init(
    origins: Origins, allowsCredentials: Bool = false, methods: [RequestMethod]? = nil,
    requestFields: [String] = requestFieldsDefault, exposedFields: [String] = [], maxAge: Duration = maxAgeDefault
  ) {
    precondition(origins != .any || !allowsCredentials, "credentials need named origins")
    self.origins = origins
    self.allowsCredentials = allowsCredentials
    self.methods = methods
    self.requestFields = requestFields
    self.exposedFields = exposedFields
    self.maxAge = maxAge
  }

  /// A token that names one field; `*` is one, too, but not here. Source: RFC 9110 §5.1.
  public static func isFieldName(_ text: String) -> Bool {
    !text.isEmpty && text != "*" && text.utf8.allSatisfy(isTokenByte)
  }
}
