import Testing

@testable import LocalPostgres
