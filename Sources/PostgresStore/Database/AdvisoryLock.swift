import PostgresClient

/// Locks on work rather than rows. Each is held until its transaction ends.
enum AdvisoryLock {
  // The numbers mean nothing, but every version of Postern must use the same: "posternk" and "posternp" in ASCII.
  static let signingKeys: Int64 = 0x706f_7374_6572_6e6b
  static let partitions: Int64 = 0x706f_7374_6572_6e70

  static let take = PreparedStatement("SELECT pg_advisory_xact_lock($1)")
  /// One boolean: whether the lock was free.
  static let tryToTake = PreparedStatement("SELECT pg_try_advisory_xact_lock($1)")
}
