import ArgumentParser
import Configuration

struct ProviderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "provider", abstract: "What Postern knows of upstream providers.", subcommands: [Presets.self])

  struct Presets: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the providers that `preset: NAME` stands for: name, address, hosts, and where that is documented.")

    func run() {
      for preset in ProviderPreset.all {
        let hosts = preset.allowedHosts.isEmpty ? "-" : preset.allowedHosts.joined(separator: ",")
        print("\(preset.name)\t\(preset.address)\t\(hosts)\t\(preset.source)")
      }
    }
  }
}
