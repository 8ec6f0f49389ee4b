import ReverseProxy
import Testing

@Suite("Route table")
struct RouteTableTests {
  static func route(
    _ name: String, _ path: String, host: String? = nil, _ methods: Set<RequestMethod> = []
  ) throws -> Route {
    try Route(name: name, host: host, pattern: PathPattern(path), methods: methods, access: .anonymous, upstream: "u")
  }

  static func table() throws -> RouteTable {
    try RouteTable([
      route("rest", "/**"),
      route("photos", "/photos/**"),
      route("one-photo", "/photos/*", [.get]),
      route("latest", "/photos/latest", [.get]),
      route("latest-any", "/photos/latest"),
      route("write", "/albums", [.post, .put]),
      route("read", "/albums", [.get]),
      route("admin", "/admin"),
      route("host-rest", "/h/**", host: "gw.example.com"),
      route("any-host-exact", "/h/exact"),
      route("ends", "/a/*/z"),
      route("slash", "/slash/"),
    ])
  }

  static func find(_ method: String, _ path: String, host: String = "other.example") throws -> String {
    let table = try table()
    let match = table.match(method: Array(method.utf8).span, host: Array(host.utf8).span, path: Array(path.utf8).span)
    switch match {
    case .route(let index): return table.routes[index].name
    case .ownEndpoint: return "own"
    case .notFound: return "none"
    case .methodNotAllowed(let allow): return "405 \(allow)"
    }
  }

  @Test("The most specific pattern owns the path, and only its routes are asked for the method", arguments: [
    ("GET", "/", "rest"), ("GET", "/x", "rest"), ("GET", "/photosx", "rest"), ("GET", "/photos", "photos"),
    ("GET", "/photos/", "photos"), ("GET", "/photos/1", "one-photo"), ("HEAD", "/photos/1", "one-photo"),
    ("POST", "/photos/1", "405 GET, HEAD"), ("GET", "/photos/1/raw", "photos"), ("GET", "/photos/latest", "latest"),
    ("HEAD", "/photos/latest", "latest"), ("DELETE", "/photos/latest", "latest-any"), ("PUT", "/albums", "write"),
    ("POST", "/albums", "write"), ("GET", "/albums", "read"), ("DELETE", "/albums", "405 GET, HEAD, POST, PUT"),
    ("get", "/albums", "405 GET, HEAD, POST, PUT"), ("GET", "/a/b/z", "ends"), ("GET", "/a//z", "rest"),
    ("GET", "/a/b", "rest"),
    ("GET", "/a/b/z/y", "rest"), ("GET", "/slash/", "slash"), ("GET", "/slash", "rest"), ("GET", "/ADMIN", "rest"),
  ])
  func findsMostSpecific(method: String, path: String, expected: String) throws {
    #expect(try Self.find(method, path) == expected)
  }

  @Test("RFC 3986 §6.2.2.2: an encoded letter or a path parameter does not slip past a route", arguments: [
    "/admin", "/%61dmin", "/%61%64%6d%69%6E", "/admin;x", "/admin;x=1;y", "/admin%3bx", "/adm%69n;",
  ])
  func resistsSpelling(path: String) throws {
    #expect(try Self.find("GET", path) == "admin")
  }

  @Test("Double encoding and encoded slashes are data, not other segments", arguments: [
    "/%2561dmin", "/admin%2f", "/photos%2flatest", "/admi%6e%2e",
  ])
  func decodesOnce(path: String) throws {
    #expect(try Self.find("GET", path) == "rest")
  }

  @Test("RFC 9110 §7.2: the host compares without case, port and final dot; its routes come first", arguments: [
    ("gw.example.com", "host-rest"), ("GW.Example.COM", "host-rest"), ("gw.example.com:8443", "host-rest"),
    ("gw.example.com.", "host-rest"), ("gw.example.com.:443", "host-rest"), ("xgw.example.com", "any-host-exact"),
    ("gw.example.co", "any-host-exact"), ("gw.example.com.evil.example", "any-host-exact"), ("", "any-host-exact"),
    ("[::1]:80", "any-host-exact"),
  ])
  func comparesHost(host: String, expected: String) throws {
    #expect(try Self.find("GET", "/h/exact", host: host) == expected)
  }

  @Test("RFC 9110 §9.3.6, §9.3.8: a route for any method serves neither TRACE, which would send the credential back, nor CONNECT", arguments: [
    ("TRACE", "/admin"), ("trace", "/admin"), ("Track", "/photos/latest"), ("TRACE", "/photos/1/raw"), ("CONNECT", "/admin"),
  ])
  func refusesEchoes(method: String, path: String) throws {
    #expect(try Self.find(method, path) == "405 DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
  }

  @Test("Postern's own endpoints come before every route", arguments: [
    "/oauth/token", "/oauth", "/%6fauth/token", "/login", "/account/sessions", "/connect/cloudvault/callback",
    "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/consent;x",
  ])
  func reservesOwnPaths(path: String) throws {
    #expect(try Self.find("GET", path) == "own")
  }

  @Test("A route that only serves reserved paths is refused", arguments: [
    "/oauth/token", "/oauth/**", "/oauth/*", "/login", "/%6cogin/x", "/connect/x/**",
    "/.well-known/openid-configuration",
  ])
  func refusesReserved(path: String) throws {
    let conflicts = try #require(throws: RouteConflicts.self) { try RouteTable([Self.route("mine", path)]) }
    #expect(conflicts.conflicts.count == 1)
    #expect(conflicts.conflicts[0].description.contains("\"mine\""))
  }

  @Test("Another well-known path, and a name that begins like a reserved one, are free", arguments: [
    "/.well-known/security.txt", "/oauthx", "/loginpage", "/**", "/*/token",
  ])
  func allowsOthers(path: String) throws {
    #expect(throws: Never.self) { try RouteTable([Self.route("mine", path)]) }
  }

  @Test("Two routes for one request are refused, and both are named")
  func refusesAmbiguity() throws {
    func conflicts(_ routes: [Route]) throws -> [String] {
      try #require(throws: RouteConflicts.self) { try RouteTable(routes) }.conflicts.map(\.description)
    }
    #expect(
      try conflicts([Self.route("a", "/x/**"), Self.route("b", "/x/**")]) == [
        "Routes \"a\" and \"b\" both serve every method of /x/**."
      ])
    #expect(
      try conflicts([Self.route("a", "/x", [.get, .post]), Self.route("b", "/%78", [.post])]) == [
        "Routes \"a\" and \"b\" both serve POST /%78."
      ])
    #expect(try conflicts([Self.route("a", "/x"), Self.route("a", "/y")]) == ["There are two routes named \"a\"."])
    #expect(try conflicts([Self.route("a", "/x", host: "H.example"), Self.route("b", "/x", host: "h.example")]).count == 1)
  }

  @Test("Every conflict is told, not only the first")
  func tellsAllConflicts() throws {
    let error = try #require(throws: RouteConflicts.self) {
      try RouteTable([Self.route("a", "/x"), Self.route("b", "/x"), Self.route("a", "/login")])
    }
    #expect(error.conflicts.map(\.index) == [1, 2, 2])
  }

  @Test("A method-specific route and one for any method share a pattern")
  func sharesPattern() throws {
    #expect(throws: Never.self) { try RouteTable([Self.route("a", "/x", [.get]), Self.route("b", "/x")]) }
    #expect(throws: Never.self) { try RouteTable([Self.route("a", "/x", host: "h"), Self.route("b", "/x")]) }
  }

  @Test("An empty table finds nothing but Postern's own")
  func empty() throws {
    let table = try RouteTable([])
    let (method, host) = (Array("GET".utf8), Array("h".utf8))
    let other = table.match(method: method.span, host: host.span, path: Array("/x".utf8).span)
    let own = table.match(method: method.span, host: host.span, path: Array("/login".utf8).span)
    #expect(other == .notFound)
    #expect(own == .ownEndpoint)
  }

  @Test("RFC 9110 §9.3.6, §9.3.8: CONNECT and TRACE are no methods of a route", arguments: ["CONNECT", "TRACE", "trace", "TRACK", "", "GE T", "GET,"])
  func refusesMethods(name: String) {
    #expect(RequestMethod(name) == nil)
  }
}
