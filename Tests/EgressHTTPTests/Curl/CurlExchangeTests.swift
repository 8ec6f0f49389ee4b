import Broker
import CLibCurl
import Cryptography
import EventLoop
import Glibc
import Testing

@testable import EgressHTTP

struct CurlExchangeTests {
  @Test("At the moment of connecting, an address that was not judged is refused")
  func secondLook() throws {
    let judged = try #require(SocketAddress(literal: "192.0.2.1", port: 443))
    let request = ProviderRequest(
      url: try #require(EndpointURL("https://provider.test/")), authorization: nil, form: Secret(""), deadline: .seconds(1))
    var outcome: Result<ProviderResponse, TransportFailure>?
    let exchange = CurlExchange(
      request, pinnedTo: [judged], deadline: .seconds(1), trustAnchors: nil, limits: EgressLimits()
    ) { outcome = $0 }

    #expect(open(exchange, "127.0.0.1") == CURL_SOCKET_BAD)
    exchange.finish(exchange.outcome(CURLE_COULDNT_CONNECT))
    #expect(outcome?.failure == .refusedAddress)

    let descriptor = open(exchange, "192.0.2.1")
    #expect(descriptor >= 0)
    close(descriptor)
  }

  private func open(_ exchange: CurlExchange, _ literal: String) -> Int32 {
    var address = curl_sockaddr()
    address.family = AF_INET
    address.socktype = Int32(SOCK_STREAM.rawValue)
    address.addrlen = UInt32(MemoryLayout<sockaddr_in>.size)
    var internet = sockaddr_in()
    internet.sin_family = sa_family_t(AF_INET)
    inet_pton(AF_INET, literal, &internet.sin_addr)
    withUnsafeMutableBytes(of: &address.addr) { target in
      withUnsafeBytes(of: internet) { target.copyMemory(from: $0) }
    }
    return withUnsafePointer(to: &address) { exchange.openSocket($0) }
  }
}
