import OAuthCore

/// What `SessionStore` promises.
public enum SessionStoreLaws {
  public static let all: [Law<any SessionStore>] = [
    Law("the session id changes at sign-in: the new session begins as the old one ends") { store in
      let (old, new) = (session(subject: nil), session(subject: "alice"))
      try await store.begin(old, replacing: nil)
      try await store.begin(new, replacing: old.locator)
      try require(try await store.session(old.locator, at: Specimen.now) == nil, "the old one has ended")
      let found = try require(try await store.session(new.locator, at: Specimen.now), "the new one is found")
      try require(found.subject == Subject("alice") && found.authenticatedAt == Specimen.now, "with whom it is")
      try require(found.secretHash == new.secretHash && found.expiresAt == new.expiresAt, "as it was begun")
    },

    Law("a session ends at its expiry and when it is ended") { store in
      let (one, other) = (session(subject: "alice"), session(subject: nil))
      for session in [one, other] { try await store.begin(session, replacing: nil) }
      try require(try await store.session(one.locator, at: one.expiresAt) == nil, "it ends at its expiry")
      try await store.end(one.locator)
      try await store.end(one.locator)
      try require(try await store.session(one.locator, at: Specimen.now) == nil, "it ends when it is ended")
      try require(try await store.session(other.locator, at: Specimen.now)?.subject == nil, "nobody signed in to the other")
      try require(try await store.session(other.locator, at: Specimen.now) != nil, "which goes on")
    },
  ]

  private static func session(subject: String?) -> BrowserSession {
    BrowserSession(
      locator: Specimen.locator(), secretHash: Specimen.digest(), subject: subject.map(Subject.init(_:)),
      authenticatedAt: subject.map { _ in Specimen.now }, expiresAt: Specimen.now + .seconds(3600))
  }
}

/// What `ConsentStore` promises.
public enum ConsentStoreLaws {
  public static let all: [Law<any ConsentStore>] = [
    Law("allowing adds to what was allowed before") { store in
      let (subject, client) = (Subject(Specimen.name("subject")), ClientID("printmypics"))
      try await store.allow(["read", "list"], to: client, by: subject, at: Specimen.now)
      try await store.allow(["write", "read"], to: client, by: subject, at: Specimen.now + .seconds(1))
      let consent = try require(try await store.consent(of: subject, for: client), "the consent is found")
      try require(consent.scope == ["read", "list", "write"], "it is the union, in the order allowed")
      try require(consent.grantedAt == Specimen.now + .seconds(1), "dated by the last time")
    },

    Law("a withdrawn consent is gone, and only that one") { store in
      let subject = Subject(Specimen.name("subject"))
      for client in ["a", "b"] { try await store.allow(["read"], to: ClientID(client), by: subject, at: Specimen.now) }
      try await store.withdraw(from: ClientID("a"), by: subject, at: Specimen.now)
      try require(try await store.consent(of: subject, for: ClientID("a")) == nil, "it is gone")
      try require(try await store.consents(of: subject).map(\.client) == [ClientID("b")], "the other stays")
    },
  ]
}

/// What `SigningKeyStore` promises.
public enum SigningKeyStoreLaws {
  public static let all: [Law<any SigningKeyStore>] = [
    Law("of many that establish a key of one algorithm at once, one succeeds and all agree") { store in
      let algorithm = Specimen.name("ES256")
      let answers = try await withThrowingTaskGroup(of: [StoredSigningKey].self) { group in
        for number in 0..<20 {
          group.addTask {
            try await store.establish(
              StoredSigningKey(
                keyID: Specimen.name("key"), algorithm: algorithm, sealedPrivateKey: [UInt8(number), 0, 255],
                createdAt: Specimen.now))
          }
        }
        return try await group.reduce(into: [[StoredSigningKey]]()) { $0.append($1) }
      }
      let chosen = answers.map { $0.filter { $0.algorithm == algorithm } }
      try require(chosen.allSatisfy { $0.count == 1 }, "there is one")
      try require(Set(chosen.map { $0[0].keyID }).count == 1, "all got the same")
      let stored = try await store.signingKeys().first { $0.algorithm == algorithm }
      try require(stored?.sealedPrivateKey == chosen[0][0].sealedPrivateKey, "and it is the stored one")
    }
  ]
}
