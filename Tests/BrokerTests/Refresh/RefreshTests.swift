import Cryptography
import OAuthCore
import Testing

@testable import Broker

/// What a refresh goes through, without a store, a provider or a clock.
@Suite("A refresh")
struct RefreshTests {
  private static let now = Timestamp(seconds: 1_700_000_000)
  private static let key = ConnectionKey(provider: "cloudvault", owner: .subject(Subject("alice")))
  private static let lease = ConnectionLease(connection: key, generation: 3, epoch: 7)
  private static let doubtful = ConnectionLease(connection: key, generation: 3, epoch: 7, isInDoubt: true)

  private static func record(_ access: String = "access", refresh: String? = "refresh", livesFor life: Int64 = -1) -> CredentialRecord {
    CredentialRecord(
      accessToken: Secret(access), refreshToken: refresh.map { Secret($0) }, obtainedAt: now + .seconds(life - 3600),
      expiresAt: now + .seconds(life), fingerprint: "f")
  }

  private static func user(_ rotation: ProviderAuthorization.Rotation = .strict, replacing generation: Int64? = nil) -> Refresh {
    Refresh(.refreshToken(rotation), replacing: generation, limits: BrokerLimits(), at: now)
  }

  private static func service(replacing generation: Int64? = nil) -> Refresh {
    Refresh(.repeatable, replacing: generation, limits: BrokerLimits(), at: now)
  }

  /// Feeds events; the action after the last.
  private static func run(_ refresh: Refresh, _ events: Refresh.Event...) -> Refresh.Action? {
    var refresh = refresh
    var action: Refresh.Action? = .read
    for event in events { action = refresh.handle(event, at: now) }
    return action
  }

  // MARK: Reading

  @Test("what is live and wanted is adopted", arguments: [nil, 2] as [Int64?])
  func adopts(replacing generation: Int64?) {
    let live = Self.record(livesFor: 100)
    for refresh in [Self.user(replacing: generation), Self.service(replacing: generation)] {
      #expect(Self.run(refresh, .read(.credential(live, generation: 3))) == .finish(.adopted(live, generation: 3)))
    }
  }

  @Test("DESIGN §5: ten seconds before its end a token is not sent any more")
  func hardMargin() {
    for (life, isAdopted) in [(11, true), (10, false)] as [(Int64, Bool)] {
      let action = Self.run(Self.user(), .read(.credential(Self.record(livesFor: life), generation: 3)))
      #expect((action == .takeLease(generation: 3)) == !isAdopted)
    }
  }

  @Test("a generation that is no longer wanted is replaced though it lives; nothing is done twice for it")
  func replaces() {
    let live = Self.record(livesFor: 100)
    #expect(Self.run(Self.user(replacing: 3), .read(.credential(live, generation: 3))) == .takeLease(generation: 3))
    #expect(
      Self.run(Self.user(replacing: 3), .read(.credential(live, generation: 4))) == .finish(.adopted(live, generation: 4)))
  }

  @Test("what has ended is told and not refreshed", arguments: [BrokerFailure.notConnected, .needsReauthentication(.noRefreshToken)])
  func ended(_ failure: BrokerFailure) {
    #expect(Self.run(Self.user(), .read(.ended(failure))) == .finish(.ended(failure)))
  }

  @Test("a token without a refresh token is kept while it lives, and asks for the user afterwards")
  func withoutRefreshToken() {
    let live = Self.record(refresh: nil, livesFor: 100)
    #expect(
      Self.run(Self.user(replacing: 3), .read(.credential(live, generation: 3))) == .finish(.kept(live, generation: 3)))
    let dead = Refresh.Event.read(.credential(Self.record(refresh: nil), generation: 3))
    #expect(Self.run(Self.user(), dead, .leased(.taken(Self.lease))) == .finish(.refused(.noRefreshToken, Self.lease)))
  }

  // MARK: Leasing

  @Test("while another refreshes the store is read again, less and less often, until its lease must have ended")
  func waits() {
    var refresh = Self.user()
    _ = refresh.handle(.read(.credential(Self.record(), generation: 3)), at: Self.now)
    var pauses: [Duration] = []
    for second in 0..<6 {
      let now = Self.now + .seconds(Int64(second))
      guard case .sleep(let pause) = refresh.handle(.leased(.held(remaining: .seconds(20))), at: now) else { break }
      pauses.append(pause)
      #expect(refresh.handle(.slept, at: now) == .read)
      #expect(refresh.handle(.read(.credential(Self.record(), generation: 3)), at: now) == .takeLease(generation: 3))
    }
    #expect(pauses == [25, 50, 100, 200, 400, 400].map { .milliseconds($0) })
    let late = Self.now + BrokerLimits().leaseWait
    #expect(
      refresh.handle(.leased(.held(remaining: .seconds(2))), at: late) == .finish(.waited(remaining: .seconds(2))))
  }

  @Test("a lease that is closed after a failure is not waited for")
  func closed() {
    let found = Refresh.Event.read(.credential(Self.record(), generation: 3))
    #expect(
      Self.run(Self.user(), found, .leased(.held(remaining: .seconds(300)))) == .finish(.waited(remaining: .seconds(300))))
  }

  @Test("a row that moved is read again; a process that ends waits for nobody")
  func moved() {
    let found = Refresh.Event.read(.credential(Self.record(), generation: 3))
    #expect(Self.run(Self.user(), found, .leased(.moved), .slept) == .read)
    #expect(
      Self.run(Self.user(), found, .leased(.held(remaining: .seconds(9))), .interrupted)
        == .finish(.waited(remaining: .seconds(9))))
  }

  @Test("without the store no refresh token is sent, since another instance could send it, too; client credentials are")
  func storeDown() {
    let found = Refresh.Event.read(.credential(Self.record(), generation: 3))
    for events in [[Refresh.Event.storeFailed], [found, .storeFailed]] {
      var (user, service) = (Self.user(), Self.service())
      var last: (Refresh.Action?, Refresh.Action?)
      for event in events { last = (user.handle(event, at: Self.now), service.handle(event, at: Self.now)) }
      #expect(last.0 == .finish(.storeUnavailable))
      #expect(last.1 == .ask(replacing: nil))
      let token = Self.record("new", refresh: nil, livesFor: 3600)
      #expect(service.handle(.answered(token), at: Self.now) == .finish(.obtained(token, lease: nil)))
    }
  }

  // MARK: Doubt

  @Test(
    "in doubt and still live, a token that a second use may end is left alone; others are refreshed",
    arguments: ProviderAuthorization.Rotation.allCases)
  func postpones(_ rotation: ProviderAuthorization.Rotation) {
    let live = Self.record(livesFor: 100)
    let found = Refresh.Event.read(.credential(live, generation: 3))
    let action = Self.run(Self.user(rotation, replacing: 3), found, .leased(.taken(Self.doubtful)))
    let isHarmless = rotation == .none || rotation == .grace
    #expect(action == (isHarmless ? .ask(replacing: live) : .finish(.postponed(Self.doubtful, remaining: .seconds(90)))))
    // With nothing to lose it is tried everywhere.
    let dead = Self.record()
    #expect(
      Self.run(Self.user(rotation), .read(.credential(dead, generation: 3)), .leased(.taken(Self.doubtful)))
        == .ask(replacing: dead))
  }

  @Test("invalid_grant in doubt is told apart from a revocation, unless the provider does not rotate", arguments: ProviderAuthorization.Rotation.allCases)
  func reason(_ rotation: ProviderAuthorization.Rotation) {
    let found = Refresh.Found.credential(Self.record(), generation: 3)
    for lease in [Self.lease, Self.doubtful] {
      let action = Self.run(
        Self.user(rotation), .read(found), .leased(.taken(lease)), .failed(.refused(.invalidGrant)), .reread(found, kept: []))
      let isInDoubt = lease.isInDoubt && rotation != .none
      #expect(action == .finish(.refused(isInDoubt ? .rotationInDoubt : .refreshTokenRefused, lease)))
    }
  }

  @Test("before invalid_grant is believed the row is read again: what it holds by then is judged like at first")
  func rereads() {
    let found = Refresh.Event.read(.credential(Self.record(), generation: 3))
    func after(_ reread: Refresh.Found) -> Refresh.Action? {
      Self.run(
        Self.user(), found, .leased(.taken(Self.lease)), .failed(.refused(.invalidGrant)), .reread(reread, kept: []))
    }
    let live = Self.record("new", livesFor: 100)
    #expect(after(.credential(live, generation: 4)) == .finish(.adopted(live, generation: 4)))
    #expect(after(.credential(Self.record("new"), generation: 4)) == .takeLease(generation: 4))
    #expect(after(.ended(.notConnected)) == .finish(.ended(.notConnected)))
    #expect(
      Self.run(Self.user(), found, .leased(.taken(Self.lease)), .failed(.refused(.invalidGrant)), .storeFailed)
        == .finish(.storeUnavailable))
  }

  @Test(
    "an answer that came too late is tried before the user is asked; one that was used only where that is harmless; none twice",
    arguments: ProviderAuthorization.Rotation.allCases)
  func triesKept(_ rotation: ProviderAuthorization.Rotation) {
    let found = Refresh.Found.credential(Self.record(), generation: 3)
    let (late, used) = (Self.record("late", refresh: "late"), Self.record("used", refresh: "used"))
    let kept = [
      Refresh.Kept(record: Self.record("same"), wasPresented: false), Refresh.Kept(record: late, wasPresented: false),
      Refresh.Kept(record: used, wasPresented: true),
    ]
    let no = Refresh.Event.failed(.refused(.invalidGrant))
    var refresh = Self.user(rotation)
    for event in [.read(found), .leased(.taken(Self.lease)), no] as [Refresh.Event] { _ = refresh.handle(event, at: Self.now) }
    #expect(refresh.handle(.reread(found, kept: kept), at: Self.now) == .ask(replacing: late))
    #expect(refresh.handle(no, at: Self.now) == .reread)
    if rotation == .none || rotation == .grace {
      #expect(refresh.handle(.reread(found, kept: kept), at: Self.now) == .ask(replacing: used))
      #expect(refresh.handle(no, at: Self.now) == .reread)
    }
    #expect(refresh.handle(.reread(found, kept: kept), at: Self.now) == .finish(.refused(.refreshTokenRefused, Self.lease)))
  }

  // MARK: Failures

  @Test("any failure but invalid_grant of a refresh token ends the attempt and nothing else", arguments: [
    TokenEndpointFailure.refused(.invalidClient), .refused(.invalidScope), .refused(.other),
    .transient(.status(429), retryAfter: .seconds(7)), .transient(.transport(.timeout), retryAfter: nil),
  ])
  func fails(_ failure: TokenEndpointFailure) {
    let found = Refresh.Event.read(.credential(Self.record(), generation: 3))
    let outcome = Refresh.Action.finish(.failed(failure, lease: Self.lease))
    #expect(Self.run(Self.user(), found, .leased(.taken(Self.lease)), .failed(failure)) == outcome)
    #expect(Self.run(Self.service(), found, .leased(.taken(Self.lease)), .failed(failure)) == outcome)
  }

  @Test("invalid_grant for client credentials is a failure like others")
  func serviceInvalidGrant() {
    let failure = TokenEndpointFailure.refused(.invalidGrant)
    #expect(
      Self.run(Self.service(), .read(.nothing(generation: 3)), .leased(.taken(Self.lease)), .failed(failure))
        == .finish(.failed(failure, lease: Self.lease)))
  }

  @Test("every state takes its own events and no others, and without a change")
  func transitions() {
    let record = Self.record()
    let found = Refresh.Found.credential(record, generation: 3)
    let no = Refresh.Event.failed(.refused(.invalidGrant))
    let ways: [(name: String, events: [Refresh.Event], takes: Set<String>)] = [
      ("reading", [], ["read", "storeFailed"]),
      ("leasing", [.read(found)], ["leased", "storeFailed"]),
      ("waiting", [.read(found), .leased(.moved)], ["slept", "interrupted"]),
      ("asking", [.read(found), .leased(.taken(Self.lease))], ["answered", "failed"]),
      ("doubting", [.read(found), .leased(.taken(Self.lease)), no], ["reread", "storeFailed"]),
      ("finished", [.storeFailed], []),
    ]
    let events: [(name: String, event: Refresh.Event)] = [
      ("read", .read(found)), ("leased", .leased(.moved)), ("slept", .slept), ("interrupted", .interrupted),
      ("answered", .answered(record)), ("failed", no), ("reread", .reread(found, kept: [])), ("storeFailed", .storeFailed),
    ]
    for way in ways {
      var before = Self.user()
      for event in way.events { #expect(before.handle(event, at: Self.now) != nil) }
      for (name, event) in events {
        var after = before
        let action = after.handle(event, at: Self.now)
        #expect((action != nil) == way.takes.contains(name), "\(name) while \(way.name)")
        #expect((after == before) == (action == nil), "\(name) while \(way.name)")
      }
    }
  }
}

@Suite("What is known of an attempt that brought no token")
struct RefreshAttemptOutcomeTests {
  @Test("where the provider may have rotated, the attempt leaves the refresh token in doubt", arguments: [
    TokenEndpointFailure.Cause.transport(.timeout), .transport(.protocolError), .transport(.tooLarge), .status(502),
    .status(504), .malformed, .html(status: 200),
  ])
  func unknown(_ cause: TokenEndpointFailure.Cause) {
    #expect(RefreshAttemptOutcome(.transient(cause, retryAfter: nil)) == .unknown)
  }

  @Test("where it was not reached or said no, it does not", arguments: [
    TokenEndpointFailure.Cause.transport(.resolution), .transport(.connect), .transport(.tls), .transport(.refusedAddress),
    .transport(.overloaded), .status(408), .status(425), .status(429), .status(500), .status(503), .announced,
    .html(status: 403),
  ])
  func failed(_ cause: TokenEndpointFailure.Cause) {
    #expect(RefreshAttemptOutcome(.transient(cause, retryAfter: nil)) == .failed)
    #expect(ProviderRefusal.allCases.allSatisfy { RefreshAttemptOutcome(.refused($0)) == .failed })
  }
}
