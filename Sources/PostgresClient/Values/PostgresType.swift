import CLibPQ

/// PostgreSQL's numbers for the built-in types that Postern uses; fixed for ever in `pg_type.dat`.
enum PostgresType {
  static let bool: Oid = 16
  static let bytea: Oid = 17
  static let name: Oid = 19
  static let int8: Oid = 20
  static let int2: Oid = 21
  static let int4: Oid = 23
  static let text: Oid = 25
  static let json: Oid = 114
  static let bpchar: Oid = 1042
  static let varchar: Oid = 1043
  static let timestamptz: Oid = 1184
  static let uuid: Oid = 2950
  static let jsonb: Oid = 3802
  static let float8: Oid = 701

  static let boolArray: Oid = 1000
  static let byteaArray: Oid = 1001
  static let int4Array: Oid = 1007
  static let textArray: Oid = 1009
  static let varcharArray: Oid = 1015
  static let int8Array: Oid = 1016
  static let timestamptzArray: Oid = 1185
  static let uuidArray: Oid = 2951
  static let jsonbArray: Oid = 3807

  /// Types made in the database (enums, domains' bases excepted) have numbers from here on; an enum travels as its label.
  static let firstUserDefined: Oid = 16384

  /// Microseconds from 1970-01-01 to 2000-01-01, the zero of PostgreSQL's timestamps.
  static let epochOffset: Int64 = 946_684_800_000_000
}
