import NetworkAddress
import Testing

@Suite("Blocks of addresses")
struct AddressBlockTests {
  @Test("RFC 4632 §3.1: an address block has zeros behind its prefix", arguments: [
    "10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/08", "fd00::1/8", "::/129", "example.com", "",
    "/8", "10.0.0/8",
  ])
  func refusesBlocks(text: String) {
    #expect(AddressBlock(text) == nil)
  }

  @Test("An address block contains its addresses and no other", arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("127.0.0.2", "127.0.0.2", true),
    ("127.0.0.2", "127.0.0.3", false),
    ("192.168.4.0/22", "192.168.7.255", true), ("192.168.4.0/22", "192.168.8.0", false), ("0.0.0.0/0", "8.8.8.8", true),
    ("0.0.0.0/0", "::2", false), ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false),
    ("10.0.0.0/8", "::ffff:10.1.1.1", true),
  ])
  func contains(block: String, address: String, isContained: Bool) throws {
    let block = try #require(AddressBlock(block))
    #expect(block.contains(try #require(IPAddress(address))) == isContained)
  }
}
