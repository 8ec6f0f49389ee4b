import Glibc
import Testing

@testable import EventLoop

@Suite("Sockets and addresses")
struct SocketTests {
  @Test("An address keeps its literal; a mapped IPv4 address is IPv4", arguments: [
    ("127.0.0.1", "127.0.0.1:80", true), ("::1", "[::1]:80", true), ("::ffff:127.0.0.1", "127.0.0.1:80", true),
    ("127.255.0.9", "127.255.0.9:80", true), ("128.0.0.1", "128.0.0.1:80", false),
    ("2001:db8::1", "[2001:db8::1]:80", false), ("::", "[::]:80", false), ("0.0.0.0", "0.0.0.0:80", false),
  ])
  func literals(literal: String, description: String, isLoopback: Bool) throws {
    let address = try #require(SocketAddress(literal: literal, port: 80))
    #expect(address.description == description)
    #expect(address.isLoopback == isLoopback)
  }

  @Test("What is no literal is no address", arguments: [
    "", "localhost", "127.1", "127.0.0.1:80", "[::1]", "0x7f.0.0.1", "::1%lo",
  ])
  func notLiterals(text: String) {
    #expect(SocketAddress(literal: text, port: 80) == nil)
  }

  @Test("A client connects, is accepted once with its address, and the two talk", arguments: ["127.0.0.1", "::1"])
  func connect(host: String) async throws {
    try await onLoop { loop in
      let listener = try Socket.listen(on: try #require(SocketAddress(literal: host, port: 0)))
      defer { close(listener) }
      #expect(try Socket.accept(listener) == nil)
      let address = try #require(Socket.localAddress(listener))
      #expect(address.host == host)
      let (client, isConnected) = try Socket.connect(to: address)
      defer { close(client) }
      if !isConnected {
        let recorder = Recorder()
        let registration = try loop.register(client, for: .writable, handler: recorder)
        while recorder.events.isEmpty { await loop.nextTurn() }
        loop.deregister(registration)
      }
      #expect(Socket.pendingError(client) == 0)
      let accepted = try #require(try Socket.accept(listener))
      defer { close(accepted.descriptor) }
      #expect(accepted.peer == Socket.localAddress(client))
      #expect(write(client, "x", 1) == 1)
      var byte: UInt8 = 0
      #expect(read(accepted.descriptor, &byte, 1) == 1)
      #expect(byte == UInt8(ascii: "x"))
    }
  }

  @Test("A connection that nobody accepts ends with an error on the descriptor")
  func refused() async throws {
    try await onLoop { loop in
      let listener = try Socket.listen(on: try #require(SocketAddress(literal: "127.0.0.1", port: 0)))
      let address = try #require(Socket.localAddress(listener))
      close(listener)
      let recorder = Recorder()
      let attempt: (descriptor: Int32, isConnected: Bool)
      do throws(SystemCallError) {
        attempt = try Socket.connect(to: address)
      } catch {
        #expect(error.errno == ECONNREFUSED)
        return
      }
      defer { close(attempt.descriptor) }
      let registration = try loop.register(attempt.descriptor, for: .writable, handler: recorder)
      while recorder.events.isEmpty { await loop.nextTurn() }
      loop.deregister(registration)
      #expect(Socket.pendingError(attempt.descriptor) == ECONNREFUSED)
    }
  }

  @Test("Loops share a port")
  func sharedPort() throws {
    let first = try Socket.listen(on: try #require(SocketAddress(literal: "127.0.0.1", port: 0)))
    defer { close(first) }
    let second = try Socket.listen(on: try #require(Socket.localAddress(first)))
    close(second)
  }

  @Test("An address that somebody listens on is refused, although SO_REUSEPORT would share it")
  func takenAddress() throws {
    let any = try #require(SocketAddress(literal: "127.0.0.1", port: 0))
    let listener = try Socket.listen(on: any)
    let taken = try #require(Socket.localAddress(listener))
    #expect(throws: SystemCallError.self) { try Socket.requireFree(taken) }
    close(listener)
    try Socket.requireFree(taken)
  }
}
