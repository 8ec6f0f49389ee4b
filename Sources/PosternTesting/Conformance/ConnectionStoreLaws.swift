import Broker
import OAuthCore

/// What `ConnectionStore` promises.
public enum ConnectionStoreLaws {
  public static let all: [Law<any ConnectionStore>] = [
    Law("a credential that was never committed is not there, before and after a lease") { store in
      let key = connection()
      try require(try await store.connection(key)?.credential == nil, "there is none")
      _ = try await lease(store, key, generation: 0)
      try require(try await store.connection(key)?.credential == nil, "there is still none")
    },

    Law("a commit is the next generation, and the owner's and the service's are apart") { store in
      let service = connection()
      let alice = ConnectionKey(provider: service.provider, owner: .subject(Subject("alice")))
      let lease = try await lease(store, service, generation: 0)
      let credential = StoredCredential(generation: 1, sealed: [0, 1, 255], expiresAt: Specimen.now)
      try require(try await store.commit(credential, under: lease) == .stored, "it is stored")
      try require(try await store.connection(service)?.credential == credential, "it is found")
      try require(try await store.connection(alice) == nil, "alice has none of it")
    },

    Law("of 20 that ask for a lease at once one gets it") { store in
      let key = connection()
      for generation in Int64(0)...1 {
        let outcomes = try await withThrowingTaskGroup(of: LeaseOutcome.self) { group in
          for _ in 0..<20 {
            group.addTask { try await store.takeLease(on: key, generation: generation, for: .seconds(60)) }
          }
          return try await group.reduce(into: [LeaseOutcome]()) { $0.append($1) }
        }
        let leases = outcomes.compactMap { if case .taken(let lease) = $0 { lease } else { nil } }
        try require(leases.count == 1, "one gets it")
        for case .held(let remaining) in outcomes {
          try require(remaining > .zero && remaining <= .seconds(60), "the others learn how long it runs")
        }
        try require(!outcomes.contains(.moved), "none is told that the generation moved")
        let credential = StoredCredential(generation: generation + 1, sealed: [1], expiresAt: Specimen.now)
        try require(try await store.commit(credential, under: leases[0]) == .stored, "and commits")
      }
    },

    Law("a lease for another generation is refused as moved") { store in
      let key = connection()
      try require(try await store.takeLease(on: key, generation: 3, for: .seconds(60)) == .moved, "there is no row")
      let lease = try await lease(store, key, generation: 0)
      _ = try await store.commit(StoredCredential(generation: 1, sealed: [1], expiresAt: Specimen.now), under: lease)
      for generation in [Int64(0), 2] {
        let outcome = try await store.takeLease(on: key, generation: generation, for: .seconds(60))
        try require(outcome == .moved, "generation \(generation) is not the row's")
      }
    },

    Law("a later lease fences the earlier one, and a repeated commit changes nothing") { store in
      let key = connection()
      let early = try await lease(store, key, generation: 0)
      try await store.release(early, as: .failed, pause: .zero)
      let late = try await lease(store, key, generation: 0)
      try require(late.epoch > early.epoch, "epochs rise")
      let (first, second) = (
        StoredCredential(generation: 1, sealed: [1], expiresAt: Specimen.now),
        StoredCredential(generation: 1, sealed: [2], expiresAt: Specimen.now)
      )
      try require(try await store.commit(first, under: early) == .superseded, "the early one is fenced")
      try require(try await store.commit(second, under: late) == .stored, "the late one commits")
      try require(try await store.commit(second, under: late) == .superseded, "once")
      try require(try await store.connection(key)?.credential == second, "and stays")
    },

    Law("a released lease pauses everyone, and one whose epoch has passed releases nothing") { store in
      let key = connection()
      let early = try await lease(store, key, generation: 0)
      try await store.release(early, as: .failed, pause: .seconds(60))
      guard case .held(let remaining) = try await store.takeLease(on: key, generation: 0, for: .seconds(5)) else {
        throw LawBroken(description: "a pause did not hold")
      }
      try require(remaining > .seconds(5) && remaining <= .seconds(60), "the pause is told")
      try await store.release(early, as: .failed, pause: .zero)
      let late = try await lease(store, key, generation: 0)
      try await store.release(early, as: .failed, pause: .zero)
      let outcome = try await store.takeLease(on: key, generation: 0, for: .seconds(5))
      try require(outcome != .taken(late), "the late lease still holds")
      guard case .held = outcome else { throw LawBroken(description: "an earlier holder released a later lease") }
    },
  ]

  private static func connection() -> ConnectionKey {
    ConnectionKey(provider: ProviderID(Specimen.name("provider")), owner: .service)
  }

  private static func lease(
    _ store: any ConnectionStore, _ key: ConnectionKey, generation: Int64
  ) async throws -> ConnectionLease {
    guard case .taken(let lease) = try await store.takeLease(on: key, generation: generation, for: .seconds(60)) else {
      throw LawBroken(description: "a free lease was not given")
    }
    return lease
  }
}
