import EventLoop
import Testing

@testable import EgressHTTP

struct AddressClassTests {
  @Test(
    "RFC 6890: link-local, metadata, multicast, reserved and translated addresses are never a provider",
    arguments: [
      "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1",
      "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
      "::", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
      "2001::1", "2001:0:4136:e378::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "fe80::1",
      "fec0::1", "ff02::1", "4000::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
    ])
  func forbidden(literal: String) throws {
    #expect(try AddressClass(#require(SocketAddress(literal: literal, port: 443))) == .forbidden)
  }

  @Test(
    "RFC 1918, RFC 4193, RFC 6598: private and loopback addresses are local",
    arguments: [
      "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "172.16.0.1",
      "172.31.255.255", "192.168.0.1", "192.168.255.255", "::1", "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1",
      "::ffff:10.0.0.1", "::ffff:7f00:1",
    ])
  func local(literal: String) throws {
    #expect(try AddressClass(#require(SocketAddress(literal: literal, port: 443))) == .local)
  }

  @Test(
    "Neighbours of the special blocks are global",
    arguments: [
      "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
      "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
      "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00:1450::1",
      "::ffff:8.8.8.8",
    ])
  func global(literal: String) throws {
    #expect(try AddressClass(#require(SocketAddress(literal: literal, port: 443))) == .global)
  }
}
