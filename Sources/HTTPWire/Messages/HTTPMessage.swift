/// Header fields in the order they came or will be sent. Names compare without case. Source: RFC 9110 §5.
public struct HTTPFields: Sendable, ExpressibleByDictionaryLiteral {
  public private(set) var entries: [(name: String, value: String)] = []

  public init() {}
  public init(dictionaryLiteral elements: (String, String)...) {
    entries.reserveCapacity(elements.count + 4)
    for (name, value) in elements { append(name, value) }
  }

  /// The first value of a field. Setting replaces every value; nil removes the field.
  public subscript(name: String) -> String? {
    get { entries.first { HTTPFields.equal($0.name, name) }?.value }
    set {
      entries.removeAll { HTTPFields.equal($0.name, name) }
      if let newValue { append(name, newValue) }
    }
  }

  public func all(_ name: String) -> [String] {
    entries.filter { HTTPFields.equal($0.name, name) }.map(\.value)
  }

  /// The caller's value never holds CR, LF or NUL: those would let it write fields of its own.
  public mutating func append(_ name: String, _ value: String) {
    for byte in value.utf8 { precondition(byte != 0x0d && byte != 0x0a && byte != 0, "field value with a line break") }
    entries.append((name, value))
  }

  private static func equal(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && zip(left.utf8, right.utf8).allSatisfy { lowerCase($0) == lowerCase($1) }
  }

  @inline(__always)
  private static func lowerCase(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

/// A whole request to one of Postern's own endpoints, its body read and bounded.
public struct HTTPRequest: Sendable {
  public var method: String
  /// Absolute path as sent, still percent-encoded.
  public var path: String
  /// Without `?`; nil when there was none.
  public var query: String?
  public var fields: HTTPFields
  public var body: [UInt8]
  /// Address literal of the peer, or of the client that a trusted proxy names.
  public var remoteAddress: String
  /// In DER, of the client that proved to hold its key: verified, unless nil.
  public var certificate: [UInt8]?

  public init(
    method: String, path: String, query: String? = nil, fields: HTTPFields = [:], body: [UInt8] = [],
    remoteAddress: String = "127.0.0.1", certificate: [UInt8]? = nil
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.fields = fields
    self.body = body
    self.remoteAddress = remoteAddress
    self.certificate = certificate
  }
}

/// A whole response of one of Postern's own endpoints. `Content-Length`, `Date` and `Connection` are the engine's.
public struct HTTPResponse: Sendable {
  public var status: Int
  public var fields: HTTPFields
  public var body: [UInt8]

  public init(status: Int, fields: HTTPFields = [:], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}
