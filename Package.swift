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
    .library(name: "PosternServer", targets: ["PosternServer"]),
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
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

    // Foundations: know neither HTTP nor OAuth
    .target(name: "JSON"),
    .target(name: "EventLoop", dependencies: ["CLinux"]),
    .target(name: "Cryptography", dependencies: ["COpenSSL", "JSON"]),

    // Domain: pure decisions, ports for what they need
    .target(name: "HTTPWire", dependencies: ["CLinux"]),
    .target(name: "OAuthCore", dependencies: ["Cryptography", "JSON"]),
    .target(name: "Grants", dependencies: ["OAuthCore"]),
    .target(name: "Broker", dependencies: ["OAuthCore"]),
    .target(name: "ReverseProxy", dependencies: ["HTTPWire", "OAuthCore", "Broker"]),

    // Adapters: one outside world each
    .target(name: "PostgresClient", dependencies: ["CLibPQ", "EventLoop", logging]),
    .target(name: "Migrations", path: "sql", resources: [.embedInCode("0001_initial.sql")]),
    .target(name: "PostgresStore", dependencies: ["Migrations", "PostgresClient", "OAuthCore", "Broker", logging]),
    .target(name: "EgressHTTP", dependencies: ["CLibCurl", "EventLoop", "Broker", logging]),
    .target(
      name: "GatewayServer",
      dependencies: ["EventLoop", "HTTPWire", "OAuthCore", "Broker", "ReverseProxy", logging, mustache]),
    .target(name: "LocalPostgres", dependencies: ["CLinux"]),
    .target(name: "Configuration", dependencies: ["OAuthCore", "Broker", "ReverseProxy", yams]),

    // Composition
    .target(name: "CloudVaultDemo", dependencies: ["GatewayServer"]),
    .target(
      name: "PosternServer",
      dependencies: [
        "CloudVaultDemo", "Configuration", "EgressHTTP", "GatewayServer", "Grants", "LocalPostgres", "PostgresStore",
        argumentParser, logging,
      ]),
    .executableTarget(name: "postern", dependencies: ["PosternServer"]),
    .target(name: "PosternTesting", dependencies: ["OAuthCore", "Broker"]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
  target.swiftSettings = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]
}
