import ArgumentParser
import Broker
import Cryptography
import Glibc
import OAuthCore

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Replace the master key, without a moment in which something cannot be opened.",
    discussion: """
      1. postern keys rotate --file /run/secrets/postern-k2     makes a key
      2. add it to keys.ring; restart the instances, one after the other
      3. make it keys.active; restart them again, one after the other
      4. postern keys rewrap                                    seals everything anew
      5. remove the old key once it has been inactive for tokens.refresh.absolute

      Two restarts, because an instance that still runs must be able to open what another has sealed already.
      """,
    subcommands: [Rotate.self, Rewrap.self])

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a new master key in a file of its own, and say where it belongs.")

    @Option(help: ArgumentHelp("The file to make, readable by its owner alone.", valueName: "path")) var file: String
    @Option(help: "The key's id; the one after the active key's when left out.") var id: String?
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let ids = try config.load().keys.ids
      let id = id ?? Self.successor(of: ids[0])
      guard !ids.contains(id) else { throw CommandFailure("keys.ring has a key '\(id)' already; choose another --id") }
      guard file.hasPrefix("/") else { throw CommandFailure("--file must be an absolute path: keys.ring will name it") }
      try Self.write(Base64.encode(SystemRandom().bytes(32)) + "\n", to: file)
      print(
        """
        The key '\(id)' is in \(file). Now, in \(config.path):
          1. Add to keys.ring, and restart the instances one after the other:
               - { id: \(id), secret: "${file:\(file)}" }
          2. Then set, and restart them again:
               active: \(id)
          3. Then run: postern keys rewrap
        """)
    }

    /// `k1` → `k2`; a name without a number gets one.
    static func successor(of id: String) -> String {
      let digits = String(id.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
      guard let number = Int(digits), number < .max else { return "\(id)-2" }
      return "\(id.dropLast(digits.count))\(number + 1)"
    }

    /// Never over a file that is there: it could be a key.
    private static func write(_ text: String, to path: String) throws {
      let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw CommandFailure("\(path) cannot be made: \(String(cString: strerror(errno)))") }
      defer { close(descriptor) }
      let bytes = Array(text.utf8)
      guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
        throw CommandFailure("\(path) cannot be written: \(String(cString: strerror(errno)))")
      }
    }
  }

  struct Rewrap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Seal everything in the database under the active key.",
      discussion: """
        While Postern serves, and as often as you like: what is sealed under the active key is passed over, so an \
        interrupted run loses nothing. Every instance must know the active key before.
        """)

    /// Runs over what instances have changed meanwhile.
    private static let runCountMax = 5

    @Option(help: ArgumentHelp(
      "A key that is lost: what is sealed under it is given up, and its users have to connect again.", valueName: "id"))
    var forget: String?
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
      let configuration = try config.load()
      let ring = configuration.keys
      if let forget, ring.ids.contains(forget) { throw CommandFailure("keys.ring has the key '\(forget)'") }
      let (progress, signingKeys) = try await DatabaseSession.run(configuration) { stores in
        let sealed = SealedCredentials(store: stores.sealed, keyRing: ring)
        if let forget { try await stores.sealed.forgetCheck(of: forget) }
        // Also puts the active key on record before anything is sealed under it.
        try await sealed.requireReadable()
        let signingKeys = try await SigningKeys.reseal(in: stores.signingKeys, ring: ring)
        var progress = SealedCredentials.Progress()
        var resealed = 0
        for _ in 0..<Self.runCountMax {
          progress = try await sealed.rewrap { page in
            print("connections: \(page.connections) seen, \(resealed + page.resealed) credentials resealed")
          }
          resealed += progress.resealed
          if progress.missed == 0 { break }
        }
        progress.resealed = resealed
        return (progress, signingKeys)
      }
      guard progress.missed == 0 else {
        throw CommandFailure("\(progress.missed) credentials changed while they were resealed; run the command again")
      }
      print(
        "Sealed under '\(ring.ids[0])': \(progress.resealed) credentials and \(signingKeys) signing keys that were not before.")
      guard progress.unreadable == 0 else {
        throw CommandFailure(
          "\(progress.unreadable) credentials open under no key of keys.ring and were left; put their key back, or have their users connect again")
      }
      if ring.ids.count > 1 {
        print(
          "Postern's own tokens need the key they were issued under: keep the others in keys.ring for tokens.refresh.absolute after '\(ring.ids[0])' became active."
        )
      }
    }
  }
}
