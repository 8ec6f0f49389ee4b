import HTTPWire
import Testing

@testable import GatewayServer

struct SessionCookieTests {
  @Test("RFC 6265bis §4.1.3.2: under https the cookie is __Host-, Secure, HttpOnly, SameSite=Lax, Path=/, without Domain")
  func secure() {
    #expect(SessionCookie(isSecure: true).setting("h") == "__Host-postern=h; Path=/; Secure; HttpOnly; SameSite=Lax")
  }

  @Test("RFC 6265bis §4.1.3.2: under http, where browsers refuse the prefix, the cookie has a plain name")
  func plain() {
    #expect(SessionCookie(isSecure: false).setting("h") == "postern=h; Path=/; HttpOnly; SameSite=Lax")
  }

  @Test("the cookie is found among others, in one field or in several")
  func finding() {
    let cookie = SessionCookie(isSecure: true)
    #expect(cookie.value(in: ["Cookie": "a=b; __Host-postern=h; c=d=e"]) == "h")
    #expect(cookie.value(in: ["Cookie": "a=b", "cookie": "__Host-postern=h"]) == "h")
    #expect(cookie.value(in: ["Cookie": "postern=h; __host-postern=h; x__Host-postern=h"]) == nil)
    #expect(cookie.value(in: [:]) == nil)
  }

  @Test("of two session cookies one is planted, so neither counts")
  func planted() {
    #expect(SessionCookie(isSecure: false).value(in: ["Cookie": "postern=mine; postern=theirs"]) == nil)
    #expect(SessionCookie(isSecure: false).value(in: ["Cookie": "postern=mine", "Cookie": "postern=theirs"]) == nil)
  }
}
