import PostgresClient
import Testing

@Suite("Values")
struct ValuesTests {
  /// Sends `value` and reads it back.
  private func echo<Value: Sendable>(
    _ value: PostgresValue, _ read: @escaping @Sendable (PostgresRow) throws -> Value
  ) async throws -> Value {
    try await withPool(readsOnly: true) { pool in
      try read(try await pool.query(PreparedStatement("SELECT $1"), [value])[0])
    }
  }

  @Test("booleans", arguments: [true, false, nil] as [Bool?])
  func bool(_ value: Bool?) async throws {
    #expect(try await echo(.bool(value)) { try $0.optionalBool(0) } == value)
  }

  @Test("integers of 4 bytes", arguments: [0, -1, .min, .max, nil] as [Int32?])
  func int32(_ value: Int32?) async throws {
    #expect(try await echo(.int32(value)) { try $0.optionalInt32(0) } == value)
    #expect(try await echo(.int32(value)) { try $0.optionalInt64(0) } == value.map(Int64.init))
  }

  @Test("integers of 8 bytes", arguments: [0, -1, .min, .max, nil] as [Int64?])
  func int64(_ value: Int64?) async throws {
    #expect(try await echo(.int64(value)) { try $0.optionalInt64(0) } == value)
  }

  @Test("floating point numbers", arguments: [0, -0.5, .infinity, .leastNonzeroMagnitude, nil] as [Double?])
  func double(_ value: Double?) async throws {
    #expect(try await echo(.double(value)) { try $0.optionalDouble(0) } == value)
  }

  @Test("texts: empty, quotes, every plane of Unicode, one megabyte, NULL")
  func text() async throws {
    for value in ["", "o'; DROP \"x\" \\ %s", "æ€𝄞\u{301}", String(repeating: "x", count: 1 << 20), nil] {
      #expect(try await echo(.text(value)) { try $0.optionalText(0) } == value)
    }
  }

  @Test("bytes: empty, with zeros, one megabyte, NULL")
  func bytes() async throws {
    for value in [[], [0, 1, 0, 255], (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0) }, nil] as [[UInt8]?] {
      #expect(try await echo(.bytes(value)) { try $0.optionalBytes(0) } == value)
    }
  }

  @Test("uuids, as bytes and as words")
  func uuid() async throws {
    let bytes: [UInt8] = Array(1...16)
    #expect(try await echo(.uuid(bytes)) { try $0.uuid(0) } == bytes)
    #expect(try await echo(.uuid(nil)) { try $0.optionalUUID(0) } == nil)
    #expect(try await echo(.uuidWords(0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0f10)) { try $0.uuid(0) } == bytes)
    let words = try await echo(.uuid(bytes)) { try $0.uuidWords(0) }
    #expect(words == (0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0f10))
  }

  @Test("timestamps mean the same moment to the server", arguments: [0, -1, 1_700_000_000_123_456, nil] as [Int64?])
  func timestamp(_ value: Int64?) async throws {
    #expect(try await echo(.timestamp(unixMicroseconds: value)) { try $0.optionalTimestamp(0) } == value)
    let seconds = try await withPool(readsOnly: true) { pool in
      try await pool.query(
        PreparedStatement("SELECT (extract(epoch FROM $1) * 1000000)::bigint"), [.timestamp(unixMicroseconds: value)])[0]
        .optionalInt64(0)
    }
    #expect(seconds == value)
  }

  @Test("infinite timestamps are the ends of the range")
  func infinity() async throws {
    let row = try await withPool(readsOnly: true) { pool in
      try await pool.query(PreparedStatement("SELECT 'infinity'::timestamptz, '-infinity'::timestamptz"))[0]
    }
    #expect(try row.timestamp(0) == .max)
    #expect(try row.timestamp(1) == .min)
  }

  @Test("JSON is jsonb to the server and text to the client")
  func json() async throws {
    #expect(try await echo(.json(#"{"a": [1, null]}"#)) { try $0.text(0) } == #"{"a": [1, null]}"#)
    #expect(try await echo(.json(nil)) { try $0.optionalText(0) } == nil)
  }

  @Test("arrays: empty, of empty elements, with NULL")
  func arrays() async throws {
    #expect(try await echo(.textArray([])) { try $0.textArray(0) } == [])
    #expect(try await echo(.textArray(["", "a,\"b", "{}"])) { try $0.textArray(0) } == ["", "a,\"b", "{}"])
    #expect(try await echo(.bytesArray([[], nil, [0]])) { try $0.bytesArray(0) } == [[], nil, [0]])
    #expect(try await echo(.uuidArray([Array(1...16)])) { try $0.uuidArray(0) } == [Array(1...16)])
    let words: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    #expect(try await echo(.uuidWordsArray([(1, 2)])) { try $0.uuidArray(0) } == [words])
    #expect(try await echo(.int64Array([.min, .max])) { try $0.int64Array(0) } == [.min, .max])
    #expect(try await echo(.timestampArray([0, 1])) { try $0.timestampArray(0) } == [0, 1])
    await #expect(throws: PostgresError.self) { try await self.echo(.textArray(["a", nil])) { try $0.textArray(0) } }
  }

  @Test("arrays without a reader of their own reach the server whole")
  func unnest() async throws {
    let row = try await withPool(readsOnly: true) { pool in
      try await pool.query(
        PreparedStatement(
          """
          SELECT count(*) FILTER (WHERE b), sum(i), count(*) FILTER (WHERE j->>'k' = 'v')
          FROM unnest($1, $2, $3) AS t(b, i, j)
          """),
        [.boolArray([true, false, nil]), .int32Array([1, nil, 41]), .jsonArray([#"{"k":"v"}"#, nil, "3"])])[0]
    }
    #expect(try row.int64(0) == 1)
    #expect(try row.int64(1) == 42)
    #expect(try row.int64(2) == 1)
  }

  @Test("an enum reads as its label")
  func enumeration() async throws {
    let label = try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TYPE state AS ENUM ('active', 'revoked')"))
      return try await pool.query(PreparedStatement("SELECT $1::state"), [.text("revoked")])[0].text(0)
    }
    #expect(label == "revoked")
  }

  @Test("a column read as another type, as non-NULL or beyond the last is an error and no value")
  func mismatch() async throws {
    let row = try await withPool(readsOnly: true) { pool in
      try await pool.query(PreparedStatement("SELECT 1::int8, NULL::text, 'x'::text"))[0]
    }
    #expect(throws: PostgresError.self) { try row.int32(0) }
    #expect(throws: PostgresError.self) { try row.text(0) }
    #expect(throws: PostgresError.self) { try row.text(1) }
    #expect(throws: PostgresError.self) { try row.bytes(2) }
    #expect(throws: PostgresError.self) { try row.optionalText(3) }
    #expect(throws: PostgresError.self) { try row.textArray(2) }
  }

  @Test("one statement takes other parameter types, and NULL in their place, on one connection")
  func parameterTypesChange() async throws {
    try await withPool(readsOnly: true, change: { $0.connectionsPerLoop = 1 }) { pool in
      let typeName = PreparedStatement("SELECT pg_typeof($1)::text")
      var names: [String] = []
      for value in [.int32(1), .int64(1), .int32(2), .null, .text(nil)] as [PostgresValue] {
        names.append(try await pool.query(typeName, [value])[0].text(0))
      }
      #expect(names == ["integer", "bigint", "integer", "integer", "text"])
    }
  }

  @Test("the number of touched rows comes with the answer")
  func affected() async throws {
    try await withPool { pool in
      _ = try await pool.query(PreparedStatement("CREATE TABLE item (id int)"))
      let inserted = try await pool.query(PreparedStatement("INSERT INTO item SELECT generate_series(1, 7)"))
      #expect(inserted.affected == 7)
      #expect(inserted.isEmpty)
      #expect(try await pool.query(PreparedStatement("DELETE FROM item WHERE id > 5")).affected == 2)
      let rest = try await pool.query(PreparedStatement("SELECT id FROM item ORDER BY id"))
      #expect(try rest.map { try $0.int32(0) } == [1, 2, 3, 4, 5])
    }
  }
}
