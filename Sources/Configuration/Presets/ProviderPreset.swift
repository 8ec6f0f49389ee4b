import Yams

/// A well-known provider: what `preset: NAME` stands for. Kept in `presets.yaml`.
public struct ProviderPreset: Sendable, Equatable {
  public let name: String
  /// Where the provider documents it.
  public let source: String
  /// The issuer, or the token endpoint.
  public let address: String
  /// Where its tokens may go; empty: each customer has hosts of its own.
  public let allowedHosts: [String]

  /// In alphabetical order.
  public static var all: [ProviderPreset] {
    document.map { key, node in
      ProviderPreset(
        name: key.string ?? "", source: node["source"]?.string ?? "",
        address: node["issuer"]?.string ?? node["token_endpoint"]?.string ?? "",
        allowedHosts: node["allowed_hosts"]?.array().compactMap(\.string) ?? [])
    }
  }

  /// As the file says, without what is not a member of a provider.
  static func members(of name: String) -> Node.Mapping? {
    document.first { $0.key.string == name }?.value.mapping
  }

  private static var document: Node.Mapping {
    let text = String(decoding: PackageResources.presets_yaml, as: UTF8.self)
    guard let root = try? Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot(), let mapping = root.mapping else {
      preconditionFailure("presets.yaml is a mapping")
    }
    return mapping
  }
}

extension YAMLValue {
  /// The members that a preset's name stands for.
  var providerPreset: Node.Mapping? {
    guard let text else { return nil }
    if let members = ProviderPreset.members(of: text) { return members }
    let suggestion = didYouMean(text, among: ProviderPreset.all.map(\.name))
    return fault("there is no preset \"\(text)\"\(suggestion); `postern provider presets` lists them")
  }
}
