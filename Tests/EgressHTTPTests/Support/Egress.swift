import Broker
import Cryptography
import EventLoop
import Glibc

@testable import EgressHTTP

/// A client on two loops of its own, in an environment that tries to mislead it.
struct Egress {
  let client: EgressClient
  private let group: EventLoopGroup
  var loops: [EventLoop] { group.loops }

  /// Once, before any client: names a proxy that is not there.
  private static let hostileEnvironment: Void = {
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
      setenv(name, "http://127.0.0.1:1", 1)
    }
  }()

  /// - Parameter names: what the resolver knows; everything else does not resolve.
  static func run(
    names: [String: [String]] = ["provider.test": ["127.0.0.1"]], resolver: (any NameResolver)? = nil,
    trustAnchors: String? = nil, limits: EgressLimits = EgressLimits(), _ body: (Egress) async throws -> Void
  ) async throws {
    _ = hostileEnvironment
    let group = try EventLoopGroup(count: 2)
    group.start()
    let client = EgressClient(
      loops: group.loops, pool: WorkerPool(), resolver: resolver ?? TableResolver(names: names),
      trustAnchors: trustAnchors, limits: limits)
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(Egress(client: client, group: group)))
    } catch {
      result = .failure(error)
    }
    await client.shutdown()
    group.stop()
    try result.get()
  }

  func post(
    _ url: String, authorization: String? = nil, form: String = "a=b", http: Bool = true, local: Bool = true,
    deadline: Duration = .seconds(20), bodyByteCountMax: Int = 1 << 20
  ) async -> Result<ProviderResponse, TransportFailure> {
    await send(
      url, authorization: authorization, form: form, http: http, local: local, deadline: deadline,
      bodyByteCountMax: bodyByteCountMax)
  }

  func get(
    _ url: String, authorization: String? = nil, http: Bool = true, local: Bool = true, bodyByteCountMax: Int = 1 << 20
  ) async -> Result<ProviderResponse, TransportFailure> {
    await send(
      url, authorization: authorization, form: nil, http: http, local: local, deadline: .seconds(20),
      bodyByteCountMax: bodyByteCountMax)
  }

  private func send(
    _ url: String, authorization: String?, form: String?, http: Bool, local: Bool, deadline: Duration,
    bodyByteCountMax: Int
  ) async -> Result<ProviderResponse, TransportFailure> {
    guard let url = EndpointURL(url) else { preconditionFailure("not a URL: \(url)") }
    let request = ProviderRequest(
      url: url, authorization: authorization.map { Secret($0) }, form: form.map { Secret($0) }, allowHTTP: http,
      allowPrivateAddresses: local, deadline: deadline, bodyByteCountMax: bodyByteCountMax)
    do throws(TransportFailure) {
      return .success(try await client.send(request))
    } catch {
      return .failure(error)
    }
  }
}

extension Result where Success == ProviderResponse, Failure == TransportFailure {
  var failure: TransportFailure? { if case .failure(let failure) = self { failure } else { nil } }
  var response: ProviderResponse? { try? get() }
}

struct TableResolver: NameResolver {
  let names: [String: [String]]

  func addresses(of host: String, port: UInt16) -> [SocketAddress] {
    (names[host] ?? []).compactMap { SocketAddress(literal: $0, port: port) }
  }
}
