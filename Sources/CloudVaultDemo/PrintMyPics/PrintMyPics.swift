import Broker
import Cryptography
import GatewayServer
import HTTPWire
import OAuthCore

/// PrintMyPics, the client application of the demo: prints Alice's photos without ever seeing her password.
///
/// It shows what a client has to do: ask with a fresh `state` and a code challenge, compare `state` and `iss` before it
/// believes an answer, keep secrets and tokens on its server, renew, and give back what it was given.
public struct PrintMyPics: Endpoint {
  let postern: PosternClient
  let visitors: Visitors
  let pages: PrintShopPages
  let clock: any WallClock
  let random: any RandomSource

  public static let homePath = "/printmypics"
  public static let callbackPath = "/printmypics/callback"
  static let connectPath = "/printmypics/connect"
  static let printPath = "/printmypics/print"
  static let forgetPath = "/printmypics/forget"

  public init(
    client: DemoClient, transport: any ProviderTransport, clock: any WallClock, random: any RandomSource
  ) {
    postern = PosternClient(client: client, transport: transport)
    visitors = Visitors(clock: clock, random: random)
    pages = PrintShopPages(issuer: client.issuer, photosPath: client.photosPath)
    self.clock = clock
    self.random = random
  }

  public func add(to table: inout EndpointTable) {
    table.add(Self.homePath, servesBelow: true, bodyBytesMax: 1 << 10, self)
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    let cookie = VisitCookie.value(in: request.fields)
    switch request.path {
    case Self.homePath: return await reading(request) { home(cookie) }
    case Self.callbackPath: return await reading(request) { await callback(cookie, query: request.query) }
    case Self.connectPath: return await writing(request) { connect(cookie) }
    case Self.printPath: return await writing(request) { await printAgain(cookie) }
    case Self.forgetPath: return await writing(request) { await forget(cookie) }
    default: return pages.notFound
    }
  }

  private func home(_ cookie: Secret?) -> HTTPResponse {
    visitors.visit(of: cookie)?.order.map { pages.order($0) } ?? pages.welcome
  }

  /// Sends the browser to ask. Source: RFC 6749 §4.1.1.
  private func connect(_ cookie: Secret?) -> HTTPResponse {
    let request = PendingAuthorization(at: clock.now, random: random)
    var visit = visitors.visit(of: cookie) ?? Visit()
    visit.ask(request)
    return .seeOther(
      request.location(for: postern.client), cookie: VisitCookie.setting(visitors.welcome(visit, instead: cookie)))
  }

  /// Takes the answer, fetches tokens and photos, and goes on to an address without the code in it.
  private func callback(_ cookie: Secret?, query: String?) async -> HTTPResponse {
    let redeemable: Visit.RedeemableCode
    do throws(AnswerRefusal) {
      let answer = try AuthorizationAnswer(query: query)
      redeemable = try visitors.change(of: cookie) { (visit) throws(AnswerRefusal) in
        try visit.redeem(answer, issuer: postern.client.issuer.description, at: clock.now)
      }
    } catch {
      return pages.refusal(error)
    }
    do throws(CallFailure) {
      let tokens = try await postern.exchange(redeemable)
      let photos = try await photos(tokens)
      let visit = Visit(order: Order(tokens: tokens, photos: photos))
      return .seeOther(Self.homePath, cookie: VisitCookie.setting(visitors.welcome(visit, instead: cookie)))
    } catch {
      return pages.failure(error)
    }
  }

  /// Tokens that lead to nothing are given back.
  private func photos(_ tokens: Tokens) async throws(CallFailure) -> [Photo] {
    do throws(CallFailure) {
      return try await postern.photos(tokens.access)
    } catch {
      try? await postern.revoke(tokens)
      throw error
    }
  }

  private func printAgain(_ cookie: Secret?) async -> HTTPResponse {
    guard let order = visitors.visit(of: cookie)?.order, let refresh = order.tokens.refresh else {
      return .seeOther(Self.homePath)
    }
    do throws(CallFailure) {
      let tokens = try await postern.refresh(refresh)
      // Kept before anything else can fail: the old refresh token is used up.
      visitors.change(of: cookie) { $0.update { $0.tokens = tokens } }
      let photos = try await postern.photos(tokens.access)
      visitors.change(of: cookie) { visit in
        visit.update { order in (order.photos, order.story) = (photos, .renewed) }
      }
      return .seeOther(Self.homePath)
    } catch {
      guard error.isInvalidGrant else { return pages.failure(error) }
      _ = visitors.forget(cookie)
      return pages.accessEnded
    }
  }

  private func forget(_ cookie: Secret?) async -> HTTPResponse {
    guard let order = visitors.forget(cookie)?.order else { return .seeOther(Self.homePath) }
    do throws(CallFailure) {
      try await postern.revoke(order.tokens)
      return pages.forgotten
    } catch {
      return pages.forgottenHereOnly
    }
  }

  // MARK: Methods

  private func reading(_ request: HTTPRequest, _ work: () async -> HTTPResponse) async -> HTTPResponse {
    guard request.isGetOrHead else { return pages.methodNotAllowed(allow: "GET, HEAD") }
    return await work()
  }

  /// `SameSite` keeps other sites' forms out, but another port of this host is the same site: the browser says which
  /// page a form comes from. Source: W3C Fetch Metadata §2.3.
  private func writing(_ request: HTTPRequest, _ work: () async -> HTTPResponse) async -> HTTPResponse {
    guard request.method == "POST" else { return pages.methodNotAllowed(allow: "POST") }
    guard request.fields.all("Sec-Fetch-Site").allSatisfy({ $0 == "same-origin" || $0 == "none" }) else {
      return pages.foreignForm
    }
    return await work()
  }
}

extension HTTPResponse {
  /// Source: RFC 9110 §15.4.4.
  fileprivate static func seeOther(_ location: String, cookie: String? = nil) -> HTTPResponse {
    var response = HTTPResponse(
      status: 303, fields: ["Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"])
    if let cookie { response.fields.append("Set-Cookie", cookie) }
    return response
  }
}
