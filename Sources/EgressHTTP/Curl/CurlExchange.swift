import Broker
import CLibCurl
import Cryptography
import EventLoop
import Glibc

/// One libcurl easy handle: a request on its way and what has come back of its answer.
final class CurlExchange {
  let easy: UnsafeMutableRawPointer
  private let request: ProviderRequest
  private let addresses: [SocketAddress]
  private let headerByteCountMax: Int
  private let completion: (Result<ProviderResponse, TransportFailure>) -> Void
  private var lists: [UnsafeMutablePointer<curl_slist>] = []

  private var body: [UInt8] = []
  private var headerByteCount = 0
  /// libcurl takes the end of the connection for the end of a head; we do not.
  private var isHeadComplete = false
  private var contentType: String?
  private var retryAfter: String?
  private var cacheControl: String?
  private var isTooLarge = false
  private var isAddressRefused = false

  init(
    _ request: ProviderRequest, pinnedTo addresses: [SocketAddress], deadline: Duration, trustAnchors: String?,
    limits: EgressLimits, completion: @escaping (Result<ProviderResponse, TransportFailure>) -> Void
  ) {
    guard let easy = curl_easy_init() else { preconditionFailure("libcurl has no handle left") }
    self.easy = easy
    self.request = request
    self.addresses = addresses
    self.completion = completion
    headerByteCountMax = limits.headerByteCountMax
    setUpRequest()
    setUpConnection(deadline: deadline, trustAnchors: trustAnchors, limits: limits)
    setUpCallbacks()
  }

  deinit {
    curl_easy_cleanup(easy)
    for list in lists { curl_slist_free_all(list) }
  }

  /// Hands the result over; the handle is out of its multi handle by now.
  func finish(_ result: Result<ProviderResponse, TransportFailure>) { completion(result) }

  func outcome(_ code: CURLcode) -> Result<ProviderResponse, TransportFailure> {
    guard code == CURLE_OK else { return .failure(failure(code)) }
    guard isHeadComplete else { return .failure(.protocolError) }
    return .success(
      ProviderResponse(
        status: postern_curl_status(easy), contentType: contentType, retryAfter: retryAfter, cacheControl: cacheControl,
        body: Secret(bytes: body)))
  }

  private func failure(_ code: CURLcode) -> TransportFailure {
    if isAddressRefused { return .refusedAddress }
    if isTooLarge { return .tooLarge }
    switch code {
    case CURLE_OPERATION_TIMEDOUT: return .timeout
    case CURLE_COULDNT_CONNECT: return .connect
    case CURLE_COULDNT_RESOLVE_HOST: return .resolution
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
      return .tls
    default: return .protocolError
    }
  }

  // MARK: Options

  private func setUpRequest() {
    let url = request.url
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    text(CURLOPT_URL, "\(url.scheme.rawValue)://\(host):\(url.port)\(url.target)")
    var fields = ["Accept: application/json"]
    // `Expect:` removes the field: no provider needs to be asked before a short form.
    if request.form != nil { fields += ["Content-Type: \(request.contentType)", "Expect:"] }
    fields += request.fields
    if let authorization = request.authorization { fields.append("Authorization: \(authorization.exposedText)") }
    list(CURLOPT_HTTPHEADER, fields)
    text(CURLOPT_USERAGENT, "postern")
    guard let form = request.form else { return number(CURLOPT_HTTPGET, 1) }
    number(CURLOPT_POST, 1)
    form.withUnsafeBytes { require(postern_curl_set_body(easy, $0.baseAddress, curl_off_t($0.count))) }
  }

  private func setUpConnection(deadline: Duration, trustAnchors: String?, limits: EgressLimits) {
    require(postern_curl_restrict_schemes(easy, request.allowHTTP ? 1 : 0))
    number(CURLOPT_FOLLOWLOCATION, 0)
    number(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
    number(CURLOPT_SSL_VERIFYPEER, 1)
    number(CURLOPT_SSL_VERIFYHOST, 2)
    number(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
    if let trustAnchors {
      text(CURLOPT_CAINFO, trustAnchors)
      require(postern_curl_set_text(easy, CURLOPT_CAPATH, nil))
    }
    // An empty proxy also hides the environment's.
    text(CURLOPT_PROXY, "")
    number(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
    number(CURLOPT_NOSIGNAL, 1)
    number(CURLOPT_TIMEOUT_MS, max(1, Int(deadline.nanoseconds / 1_000_000)))
    number(CURLOPT_CONNECTTIMEOUT_MS, Int(limits.connectTimeout.nanoseconds / 1_000_000))
    number(CURLOPT_MAXAGE_CONN, Int(limits.idleConnectionAgeMax.components.seconds))
    list(CURLOPT_RESOLVE, [Self.pin(request.url, to: addresses)])
  }

  /// `host:port:address,address`; what libcurl would otherwise ask the resolver for.
  private static func pin(_ url: EndpointURL, to addresses: [SocketAddress]) -> String {
    let literals = addresses.map { $0.address.count == 4 ? $0.host : "[\($0.host)]" }
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    return "\(host):\(url.port):\(literals.joined(separator: ","))"
  }

  private func setUpCallbacks() {
    // SAFETY: libcurl calls these while the handle is in its multi handle, which keeps this object alive by `exchanges`.
    let context = Unmanaged.passUnretained(self).toOpaque()
    require(postern_curl_set_body_callback(easy, bodyCallback, context))
    require(postern_curl_set_header_callback(easy, headerCallback, context))
    require(postern_curl_set_open_callback(easy, openCallback, context))
  }

  private func number(_ option: CURLoption, _ value: Int) { require(postern_curl_set_long(easy, option, value)) }
  private func text(_ option: CURLoption, _ value: String) { require(postern_curl_set_text(easy, option, value)) }

  private func list(_ option: CURLoption, _ values: [String]) {
    var list: UnsafeMutablePointer<curl_slist>?
    for value in values {
      precondition(!value.utf8.contains { $0 < 0x20 }, "a line break would write a field of its own")
      list = curl_slist_append(list, value)
    }
    guard let list else { return }
    lists.append(list)
    require(postern_curl_set_list(easy, option, list))
  }

  /// Every option here is one that the security of the exchange rests on.
  private func require(_ status: CURLcode) { precondition(status == CURLE_OK, "libcurl refuses an option") }

  // MARK: What arrives

  /// - Returns: false to end the exchange.
  fileprivate func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
    isTooLarge = body.count + bytes.count > request.bodyByteCountMax
    guard !isTooLarge else { return false }
    body.append(contentsOf: bytes)
    return true
  }

  fileprivate func receive(headerLine bytes: UnsafeRawBufferPointer) -> Bool {
    headerByteCount += bytes.count
    isTooLarge = headerByteCount > headerByteCountMax
    guard !isTooLarge else { return false }
    let line = String(decoding: bytes, as: UTF8.self)
    isHeadComplete = line == "\r\n" || line == "\n"
    // A final answer after an interim one (1xx) starts anew.
    if line.hasPrefix("HTTP/") { (contentType, retryAfter, cacheControl) = (nil, nil, nil) }
    guard let colon = line.firstIndex(of: ":") else { return true }
    let value = line[line.index(after: colon)...].trimmed
    switch line[..<colon].lowercased() {
    case "content-type": contentType = value
    case "retry-after": retryAfter = value
    // A list (RFC 9110 §5.3).
    case "cache-control": cacheControl = cacheControl.map { "\($0), \(value)" } ?? value
    default: break
    }
    return true
  }

  /// The second look at the address, at the moment of connecting: whatever libcurl came to believe, it connects to what
  /// the guard has judged or not at all.
  func openSocket(_ address: UnsafePointer<curl_sockaddr>) -> Int32 {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(postern_curl_address(address, &bytes))
    let target = SocketAddress(address: Array(bytes[..<count]), port: request.url.port)
    guard let target, addresses.contains(where: { $0.address == target.address }) else {
      isAddressRefused = true
      return CURL_SOCKET_BAD
    }
    return Glibc.socket(
      address.pointee.family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
      address.pointee.protocol)
  }
}

extension Substring {
  fileprivate var trimmed: String {
    func isSpace(_ character: Character) -> Bool { character.isWhitespace }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}

// SAFETY (each callback): `context` is the CurlExchange that set it, alive while its handle runs; `bytes` holds
// `size * count` bytes for the length of the call.

private func exchange(_ context: UnsafeMutableRawPointer?) -> CurlExchange {
  Unmanaged<CurlExchange>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
}

private let bodyCallback: postern_curl_bytes_callback = { bytes, size, count, context in
  exchange(context).receive(body: UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private let headerCallback: postern_curl_bytes_callback = { bytes, size, count, context in
  exchange(context).receive(headerLine: UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private let openCallback: curl_opensocket_callback = { context, _, address in
  address.map { exchange(context).openSocket($0) } ?? CURL_SOCKET_BAD
}
