import Cryptography
import HTTPWire
import OAuthCore
import PosternTesting
import Testing

@testable import CloudVaultDemo

struct VisitorsTests {
  private let clock = ManualClock()
  private let visitors: Visitors
  private let known = Visit(order: Order(tokens: Tokens(access: Secret("a"), refresh: nil), photos: []))

  init() { visitors = Visitors(clock: clock, random: SeededRandom()) }

  @Test("A visit is found by its own cookie only, and for an hour")
  func lookUp() {
    let cookie = visitors.welcome(known, instead: nil)
    #expect(visitors.visit(of: nil) == nil)
    #expect(visitors.visit(of: Secret("")) == nil)
    #expect(visitors.visit(of: Secret(cookie.exposedText + "A")) == nil)
    clock.advance(by: Visitors.lifetime - .microseconds(1))
    #expect(visitors.visit(of: cookie)?.order != nil)
    clock.advance(by: .microseconds(1))
    #expect(visitors.visit(of: cookie) == nil)
  }

  @Test("Session fixation: a visit that goes on under a fresh cookie is lost to the one before")
  func fixation() {
    let planted = visitors.welcome(Visit(), instead: nil)
    let fresh = visitors.welcome(known, instead: planted)
    #expect(fresh != planted)
    #expect(visitors.visit(of: planted) == nil)
    #expect(visitors.visit(of: fresh)?.order != nil)
  }

  @Test("What is forgotten stays forgotten, also by a call that was under way")
  func forgotten() {
    let cookie = visitors.welcome(known, instead: nil)
    #expect(visitors.forget(cookie)?.order != nil)
    #expect(visitors.forget(cookie) == nil)
    visitors.change(of: cookie) { $0.update { $0.photos = [Photo(title: "late")] } }
    #expect(visitors.visit(of: cookie) == nil)
  }

  @Test("A refused answer leaves its change behind")
  func throwing() {
    let cookie = visitors.welcome(Visit(), instead: nil)
    let request = PendingAuthorization(at: clock.now, random: SeededRandom())
    visitors.change(of: cookie) { $0.ask(request) }
    #expect(throws: AnswerRefusal.issuerDifferent) {
      let answer = try AuthorizationAnswer(query: "state=\(request.state.exposedText)&code=c")
      _ = try visitors.change(of: cookie) { (visit) throws(AnswerRefusal) in
        try visit.redeem(answer, issuer: "https://postern.example", at: clock.now)
      }
    }
    #expect(visitors.visit(of: cookie)?.pending == nil)
  }

  @Test("The number of visits is bounded: the oldest makes room")
  func bounded() {
    let first = visitors.welcome(known, instead: nil)
    clock.advance(by: .seconds(1))
    let second = visitors.welcome(known, instead: nil)
    for _ in 1..<Visitors.countMax { _ = visitors.welcome(Visit(), instead: nil) }
    #expect(visitors.visit(of: first) == nil)
    #expect(visitors.visit(of: second) != nil)
  }

  @Test("RFC 6265 §4.1.2: the cookie is HttpOnly, SameSite=Lax and sent to PrintMyPics only")
  func attributes() {
    #expect(VisitCookie.setting(Secret("v")) == "printmypics=v; Path=/printmypics; HttpOnly; SameSite=Lax")
  }

  @Test("A cookie that comes twice is none: one of them is planted", arguments: [
    ("printmypics=a", "a"), ("postern=x; printmypics=a", "a"), ("printmypics=a; printmypics=b", nil), ("xprintmypics=a", nil),
    ("printmypics", nil), ("", nil),
  ])
  func reading(field: String, value: String?) {
    #expect(VisitCookie.value(in: ["Cookie": field]) == value.map { Secret($0) })
  }
}
