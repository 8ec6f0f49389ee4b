// swift-tools-version: 6.2
import PackageDescription

// The folder list is the architecture: arrows point down only, adapters never import each other,
// and each C library has one door (OpenSSL two: libcrypto in Cryptography, libssl in EventLoop).

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "postern",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "postern", targets: ["postern"]),
    // What an executable with a grant of its own imports, and what its tests import beside it.
    .library(name: "PosternServer", targets: ["PosternServer", "OAuthCore", "Cryptography", "JSON"]),
    .library(name: "PosternTesting", targets: ["PosternTesting"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C libraries
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CLibCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CLibSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

    // Foundations: know neither HTTP nor OAuth
    .target(name: "JSON"),
    .target(name: "NetworkAddress"),
    .target(name: "EventLoop", dependencies: ["CLibSSL", "CLinux", "NetworkAddress"]),
    .target(name: "Cryptography", dependencies: ["COpenSSL", "JSON"]),

    // Domain: pure decisions, ports for what they need
    .target(name: "HTTPWire", dependencies: ["CLinux", "CNGHTTP2"]),
    .target(name: "OAuthCore", dependencies: ["Cryptography", "JSON"]),
    .target(name: "Grants", dependencies: ["Cryptography", "JSON", "OAuthCore"]),
    .target(name: "Broker", dependencies: ["Cryptography", "JSON", "NetworkAddress", "OAuthCore"]),
    .target(name: "ReverseProxy", dependencies: ["Broker", "Cryptography", "HTTPWire", "JSON", "NetworkAddress", "OAuthCore"]),

    // Adapters: one outside world each
    .target(name: "PostgresClient", dependencies: ["CLibPQ", "EventLoop", logging]),
    .target(
      name: "Migrations", path: "sql",
      resources: [
        .embedInCode("0001_initial.sql"), .embedInCode("0002_connections.sql"), .embedInCode("0003_refresh.sql"),
        .embedInCode("0004_key_checks.sql"), .embedInCode("0005_connect_tickets.sql"),
        .embedInCode("0006_webhooks.sql"),
      ]),
    .target(
      name: "PostgresStore",
      dependencies: ["Broker", "Cryptography", "EventLoop", "JSON", "Migrations", "OAuthCore", "PostgresClient", logging]),
    .target(name: "EgressHTTP", dependencies: ["Broker", "CLibCurl", "CLinux", "Cryptography", "EventLoop", "NetworkAddress"]),
    .target(
      name: "GatewayServer",
      dependencies: [
        "Broker", "CLinux", "Cryptography", "EventLoop", "HTTPWire", "JSON", "NetworkAddress", "OAuthCore", "ReverseProxy",
        mustache,
      ]),
    .target(name: "LocalPostgres", dependencies: ["CLinux"]),
    .target(
      name: "Configuration",
      dependencies: ["Broker", "Cryptography", "NetworkAddress", "OAuthCore", "ReverseProxy", yams],
      resources: [.embedInCode("Presets/presets.yaml")]),

    // Composition
    .target(
      name: "CloudVaultDemo",
      dependencies: ["Broker", "Cryptography", "GatewayServer", "HTTPWire", "JSON", "OAuthCore", "ReverseProxy"]),
    .target(
      name: "PosternServer",
      dependencies: [
        "Broker", "CLinux", "CloudVaultDemo", "Configuration", "Cryptography", "EgressHTTP", "EventLoop", "GatewayServer",
        "Grants", "HTTPWire", "JSON", "LocalPostgres", "Migrations", "OAuthCore", "PostgresClient", "PostgresStore",
        "ReverseProxy", argumentParser, logging,
      ]),
    .executableTarget(name: "postern", dependencies: ["PosternServer"]),
    .target(name: "PosternTesting", dependencies: ["Broker", "Cryptography", "JSON", "OAuthCore"]),

    // A grant of one's own, and an executable that serves it
    .target(name: "CustomGrant", dependencies: ["Cryptography", "JSON", "OAuthCore"], path: "Examples/CustomGrant"),
    .executableTarget(
      name: "custom-grant-server", dependencies: ["CustomGrant", "PosternServer"], path: "Examples/CustomGrantServer"),

    // Tests
    .target(name: "TestCertificates", path: "Tests/TestCertificates"),
    .testTarget(name: "JSONTests", dependencies: ["JSON", "PosternTesting"]),
    .testTarget(name: "NetworkAddressTests", dependencies: ["NetworkAddress"]),
    .testTarget(name: "EventLoopTests", dependencies: ["CLibSSL", "CLinux", "EventLoop", "TestCertificates"]),
    .testTarget(
      name: "CryptographyTests", dependencies: ["COpenSSL", "Cryptography", "JSON"], exclude: ["Interop/joserfc_peer.py"]),
    .testTarget(name: "HTTPWireTests", dependencies: ["HTTPWire", "PosternTesting"]),
    .testTarget(name: "OAuthCoreTests", dependencies: ["Cryptography", "Grants", "JSON", "OAuthCore", "PosternTesting"]),
    .testTarget(name: "GrantsTests", dependencies: ["Cryptography", "Grants", "JSON", "OAuthCore", "PosternTesting"]),
    .testTarget(
      name: "CustomGrantTests", dependencies: ["Cryptography", "CustomGrant", "Grants", "JSON", "OAuthCore", "PosternTesting"]),
    .testTarget(name: "BrokerTests", dependencies: ["Broker", "Cryptography", "JSON", "OAuthCore", "PosternTesting"]),
    .testTarget(
      name: "ReverseProxyTests",
      dependencies: ["Broker", "Cryptography", "HTTPWire", "JSON", "OAuthCore", "PosternTesting", "ReverseProxy"]),
    .testTarget(name: "LocalPostgresTests", dependencies: ["LocalPostgres"]),
    .testTarget(name: "PostgresClientTests", dependencies: ["EventLoop", "LocalPostgres", "PostgresClient", logging]),
    .testTarget(
      name: "PostgresStoreTests",
      dependencies: [
        "Broker", "Cryptography", "EventLoop", "JSON", "LocalPostgres", "OAuthCore", "PosternTesting", "PostgresClient",
        "PostgresStore", logging,
      ]),
    .testTarget(
      name: "EgressHTTPTests",
      dependencies: ["Broker", "CLibCurl", "CLinux", "Cryptography", "EgressHTTP", "EventLoop", "JSON", "OAuthCore", "PosternTesting"]),
    .testTarget(
      name: "GatewayServerTests",
      dependencies: [
        "Broker", "CLibSSL", "CLinux", "CNGHTTP2", "Cryptography", "EventLoop", "GatewayServer", "Grants", "HTTPWire", "JSON",
        "NetworkAddress", "OAuthCore", "PosternTesting", "ReverseProxy", "TestCertificates",
      ],
      exclude: ["Hygiene/Cases"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Broker", "Configuration", "Cryptography", "OAuthCore", "ReverseProxy"]),
    .testTarget(
      name: "CloudVaultDemoTests",
      dependencies: [
        "Broker", "CloudVaultDemo", "Cryptography", "EgressHTTP", "GatewayServer", "HTTPWire", "JSON", "OAuthCore", "PosternTesting",
        "ReverseProxy",
      ]),
    .testTarget(
      name: "SystemTests", dependencies: ["Cryptography", "LocalPostgres", "TestCertificates", "custom-grant-server", "postern"],
      exclude: ["Streams/websocket_peer.py"]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
  target.swiftSettings = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]
}
