import EventLoop
import HTTPWire
import NetworkAddress
import ReverseProxy

/// Where a request comes from, as endpoints, the log and the upstream are told.
struct RequestOrigin {
  /// The client as an address literal.
  let address: [UInt8]
  let scheme: StaticString
  /// `X-Forwarded-For` and `X-Forwarded-Proto` for the upstream, with their line ends.
  let forwardedLines: [UInt8]

  /// - Parameters:
  ///   - chain: the addresses that the request passed, from the client to the peer.
  ///   - scheme: `http` or `https`.
  init(address: [UInt8], chain: [UInt8], scheme: StaticString) {
    self.address = address
    self.scheme = scheme
    forwardedLines = Array("X-Forwarded-For: ".utf8) + chain + Array("\r\nX-Forwarded-Proto: \(scheme)\r\n".utf8)
  }
}

/// The proxies in front of Postern whose word about their clients is taken; nobody else's is.
///
/// Every proxy appends the address it was called from to `X-Forwarded-For`. From its right end, the list is therefore
/// true up to the first address that is no trusted proxy's: that is the client. What stands left of it the client may
/// have written itself.
struct TrustedProxies {
  /// What the list says about the client.
  private enum Finding {
    case client(IPAddress)
    case proxiesOnly
    /// Something else than an address where a trusted proxy should have written one.
    case malformed
  }

  private let blocks: [AddressBlock]

  init(_ blocks: [AddressBlock]) { self.blocks = blocks }

  func contains(_ address: IPAddress) -> Bool { blocks.contains { $0.contains(address) } }

  func contains(_ peer: SocketAddress) -> Bool { contains(peer.ip) }

  /// The origin of a request that a trusted proxy sends.
  ///
  /// - Parameters:
  ///   - lines: field lines of its head within `bytes`.
  ///   - peer: the proxy itself; also the client, when the list names none or cannot be read.
  func origin(_ bytes: Span<UInt8>, lines: Range<Int>, peer proxy: RequestOrigin) -> RequestOrigin {
    var chain: [UInt8] = []
    let peer = proxy.address
    var scheme = proxy.scheme
    var walk = FieldLines(lines)
    while let line = walk.next(bytes) {
      if bytes.equalsIgnoringCase("x-forwarded-for", line.name) {
        // Source: RFC 9110 §5.3: lines of one name are one list.
        if !chain.isEmpty { chain += Array(", ".utf8) }
        chain += bytes.array(line.value)
      } else if bytes.equalsIgnoringCase("x-forwarded-proto", line.name) {
        scheme = bytes.equalsIgnoringCase("https", line.value) ? "https" : "http"
      }
    }
    guard !chain.isEmpty else { return RequestOrigin(address: peer, chain: peer, scheme: scheme) }
    let passed = chain + Array(", ".utf8) + peer
    return switch finding(chain) {
    case .client(let address): RequestOrigin(address: address.literal, chain: passed, scheme: scheme)
    case .proxiesOnly: RequestOrigin(address: peer, chain: passed, scheme: scheme)
    case .malformed: RequestOrigin(address: peer, chain: peer, scheme: scheme)
    }
  }

  private func finding(_ chain: [UInt8]) -> Finding {
    for element in chain.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).reversed() {
      guard let address = IPAddress(forwarded: element) else { return .malformed }
      if !contains(address) { return .client(address) }
    }
    return .proxiesOnly
  }
}

extension IPAddress {
  /// An element of `X-Forwarded-For`: an address, with a port from some proxies, in brackets then if it is IPv6.
  fileprivate init?(forwarded element: ArraySlice<UInt8>) {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    guard let first = element.firstIndex(where: { !isBlank($0) }), let last = element.lastIndex(where: { !isBlank($0) })
    else { return nil }
    var literal = element[first...last]
    if literal.first == UInt8(ascii: "[") {
      guard let end = literal.firstIndex(of: UInt8(ascii: "]")), Self.isPort(literal[(end + 1)...]) else { return nil }
      literal = literal[(first + 1)..<end]
      guard literal.contains(UInt8(ascii: ":")) else { return nil }
    } else if let colon = literal.firstIndex(of: UInt8(ascii: ":")), colon == literal.lastIndex(of: UInt8(ascii: ":")) {
      guard Self.isPort(literal[colon...]) else { return nil }
      literal = literal[..<colon]
    }
    self.init(String(decoding: literal, as: UTF8.self))
  }

  /// Nothing, or a colon and digits.
  private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
    text.isEmpty
      || text.first == UInt8(ascii: ":") && (2...6).contains(text.count)
        && text.dropFirst().allSatisfy { $0 &- UInt8(ascii: "0") < 10 }
  }

  fileprivate var literal: [UInt8] { Array(description.utf8) }
}

extension Span where Element == UInt8 {
  fileprivate func array(_ range: ByteRange) -> [UInt8] {
    extracting(range.range).withUnsafeBytes { Array($0) }
  }
}
