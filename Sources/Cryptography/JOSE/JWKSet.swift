import JSON

/// A JSON Web Key Set. Source: RFC 7517 §5.
public struct JWKSet: Sendable, Hashable {
  /// A set with more is somebody's mistake, and each key costs time to build.
  public static let keyCountMax = 64

  public let keys: [JWK]

  public init(keys: [JWK]) { self.keys = keys }

  /// Reads a set. Keys of other types, uses or algorithms are left out, as RFC 7517 §5 asks.
  ///
  /// - Throws: `JWKError.malformed` when the text is no set or has more than `keyCountMax` keys.
  public init(parsing bytes: [UInt8]) throws(JWKError) {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch { throw .malformed(error.description) }
    guard let object = json.object else { throw .malformed("not an object") }
    try self.init(object)
  }

  /// See `init(parsing:)`.
  public init(_ object: JSONObject) throws(JWKError) {
    guard let values = object["keys"]?.array else { throw .malformed("a key set has an array 'keys'") }
    guard values.count <= Self.keyCountMax else { throw .malformed("more than \(Self.keyCountMax) keys") }
    keys = values.compactMap { value in
      guard let object = value.object else { return nil }
      return try? JWK(object)
    }
  }

  /// The public halves, for publishing.
  public var publicJSON: JSONObject { ["keys": .array(keys.map { .object($0.publicJSON) })] }
}
