import Cryptography
import JSON
import OAuthCore
import PostgresClient

// The vocabulary as parameters.

extension PostgresValue {
  static func locator(_ locator: Locator) -> PostgresValue { .uuidWords(locator.high, locator.low) }

  static func locator(_ locator: Locator?) -> PostgresValue {
    guard let locator else { return .uuid(nil) }
    return .uuidWords(locator.high, locator.low)
  }

  static func timestamp(_ timestamp: Timestamp?) -> PostgresValue { .timestamp(unixMicroseconds: timestamp?.microseconds) }

  static func digest(_ digest: Digest256?) -> PostgresValue { .bytes(digest?.bytes) }

  static func scopes(_ scope: ScopeSet) -> PostgresValue { .textArray(scope.scopes.map(\.rawValue)) }
}

extension Array<String> {
  /// As PostgreSQL writes a `text[]`. Several arrays of different lengths travel as one array of these, since
  /// PostgreSQL has no arrays of arrays.
  ///
  /// Source: PostgreSQL documentation §8.15.2 and §8.15.6.
  var arrayLiteral: String {
    var literal = "{"
    for element in self {
      if literal.utf8.count > 1 { literal += "," }
      literal += "\""
      for character in element.unicodeScalars {
        if character == "\"" || character == "\\" { literal += "\\" }
        literal.unicodeScalars.append(character)
      }
      literal += "\""
    }
    return literal + "}"
  }
}

extension ScopeSet {
  var arrayLiteral: String { scopes.map(\.rawValue).arrayLiteral }
}

extension Authorization {
  /// JSON text; nil when there are no claims, which is nearly always.
  var claimsText: String? { claims.isEmpty ? nil : String(decoding: claims.bytes, as: UTF8.self) }
}

// Rows as the vocabulary.

extension PostgresRow {
  func locator(_ column: Int) throws(PostgresError) -> Locator {
    let (high, low) = try uuidWords(column)
    return Locator(high: high, low: low)
  }

  func optionalLocator(_ column: Int) throws(PostgresError) -> Locator? {
    guard let (high, low) = try optionalUUIDWords(column) else { return nil }
    return Locator(high: high, low: low)
  }

  func moment(_ column: Int) throws(PostgresError) -> Timestamp { Timestamp(microseconds: try timestamp(column)) }

  func optionalMoment(_ column: Int) throws(PostgresError) -> Timestamp? {
    try optionalTimestamp(column).map(Timestamp.init(microseconds:))
  }

  func digest(_ column: Int) throws(PostgresError) -> Digest256 {
    guard let digest = try optionalDigest(column) else { throw .decoding("column \(column) is NULL") }
    return digest
  }

  func optionalDigest(_ column: Int) throws(PostgresError) -> Digest256? {
    guard let bytes = try optionalBytes(column) else { return nil }
    guard let digest = Digest256(bytes: bytes) else { throw .decoding("column \(column) is not a SHA-256 digest") }
    return digest
  }

  func scopes(_ column: Int) throws(PostgresError) -> ScopeSet {
    var scopes: [Scope] = []
    for text in try textArray(column) {
      guard let scope = Scope(text) else { throw .decoding("column \(column) holds no scope") }
      scopes.append(scope)
    }
    return ScopeSet(scopes)
  }

  /// Six columns in a row: subject, client, scope, audience, authenticated_at, claims.
  func authorization(from column: Int) throws(PostgresError) -> Authorization {
    Authorization(
      subject: Subject(try text(column)),
      client: ClientID(try text(column + 1)),
      scope: try scopes(column + 2),
      audience: try textArray(column + 3),
      authenticatedAt: try optionalMoment(column + 4),
      claims: try claims(column + 5))
  }

  private func claims(_ column: Int) throws(PostgresError) -> JSONObject {
    guard let text = try optionalText(column) else { return [:] }
    guard let object = (try? JSON(parsing: Array(text.utf8)))?.object else {
      throw .decoding("column \(column) is not a JSON object")
    }
    return object
  }
}
