import CLibPQ

/// A parameter of a statement. Its case decides the SQL type; `nil` is a NULL of that type.
///
/// The statement is prepared with exactly these types, so `unnest($1)` needs no cast, and a parameter that goes to a column of
/// another type is cast in the SQL (`$1::inet`).
public enum PostgresValue: Sendable {
  /// NULL of whatever type the server infers.
  case null
  case bool(Bool?)
  /// `integer`
  case int32(Int32?)
  /// `bigint`
  case int64(Int64?)
  /// `double precision`
  case double(Double?)
  case text(String?)
  /// `bytea`
  case bytes([UInt8]?)
  /// `uuid`, 16 bytes
  case uuid([UInt8]?)
  /// `uuid`, as its two big-endian words
  case uuidWords(UInt64, UInt64)
  /// `timestamptz`, in microseconds since 1970-01-01T00:00:00Z
  case timestamp(unixMicroseconds: Int64?)
  /// `jsonb`, as JSON text
  case json(String?)

  case boolArray([Bool?])
  case int32Array([Int32?])
  case int64Array([Int64?])
  case textArray([String?])
  case bytesArray([[UInt8]?])
  case uuidArray([[UInt8]?])
  case uuidWordsArray([(UInt64, UInt64)?])
  /// `timestamptz[]`, in microseconds since 1970-01-01T00:00:00Z
  case timestampArray([Int64?])
  /// `jsonb[]`, as JSON texts
  case jsonArray([String?])

  /// The type to prepare with; 0 lets the server infer it.
  var type: Oid {
    switch self {
    case .null: 0
    case .bool: PostgresType.bool
    case .int32: PostgresType.int4
    case .int64: PostgresType.int8
    case .double: PostgresType.float8
    case .text: PostgresType.text
    case .bytes: PostgresType.bytea
    case .uuid, .uuidWords: PostgresType.uuid
    case .timestamp: PostgresType.timestamptz
    case .json: PostgresType.jsonb
    case .boolArray: PostgresType.boolArray
    case .int32Array: PostgresType.int4Array
    case .int64Array: PostgresType.int8Array
    case .textArray: PostgresType.textArray
    case .bytesArray: PostgresType.byteaArray
    case .uuidArray, .uuidWordsArray: PostgresType.uuidArray
    case .timestampArray: PostgresType.timestamptzArray
    case .jsonArray: PostgresType.jsonbArray
    }
  }
}
