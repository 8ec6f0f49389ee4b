import Foundation
import Testing

extension SystemTests {
  @Test("keys rotate makes a key that no one else can read and never replaces a file; keys rewrap seals under it; without the right key nothing starts")
  func masterKeys() throws {
    let deployment = try Deployment()
    let file = deployment.folder.appendingPathComponent("instance-0.yaml")
    let newKey = deployment.folder.appendingPathComponent("k2")
    let made = try deployment.postern("keys", "rotate", "--file", newKey.path)
    #expect(made.status == 0 && made.output.contains("active: k2"), "\(made.output) \(made.errors)")
    let secret = try String(contentsOf: newKey, encoding: .utf8).trimmingCharacters(in: .newlines)
    #expect(Data(base64Encoded: secret)?.count == 32 && !made.output.contains(secret))
    let mode = try FileManager.default.attributesOfItem(atPath: newKey.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try deployment.postern("keys", "rotate", "--file", newKey.path).status != 0)
    #expect(try String(contentsOf: newKey, encoding: .utf8).hasPrefix(secret))

    let old = try String(contentsOf: file, encoding: .utf8)
    let rotated = old.replacingOccurrences(of: "active: k1", with: "active: k2").replacingOccurrences(
      of: "    - { id: k1,", with: "    - { id: k2, secret: \"${file:\(newKey.path)}\" }\n    - { id: k1,")
    try rotated.write(to: file, atomically: true, encoding: .utf8)
    let rewrapped = try deployment.postern("keys", "rewrap")
    #expect(rewrapped.status == 0 && rewrapped.output.contains("1 signing keys"), "\(rewrapped.output) \(rewrapped.errors)")

    // The key that sealed is gone from the ring; then it is there with another secret.
    try old.write(to: file, atomically: true, encoding: .utf8)
    let missing = try deployment.postern("serve")
    #expect(missing.status != 0 && missing.errors.contains("keys.ring"), "\(missing.errors)")
    let wrong = rotated.replacingOccurrences(of: "${file:\(newKey.path)}", with: "${env:POSTERN_KEY}")
    try wrong.write(to: file, atomically: true, encoding: .utf8)
    #expect(try deployment.postern("serve").status != 0)
  }

  @Test("DESIGN §5: the master key is replaced on two instances under load, and not one read fails")
  func rotationUnderLoad() throws {
    // Every half a second an instance seals a new token, and the other opens it.
    let provider = try ScriptedOAuthProvider(firstLifetime: 1, laterLifetime: 1)
    defer { provider.stop() }
    let deployment = try Deployment(processes: 2, connectable: provider.port)
    let ports = deployment.processes.map(\.port)
    let bearer = Locked(try userToken(deployment))
    var browser = Browser(deployment)
    _ = try connect(&browser, provider, deployment)

    let state = Locked((isStopped: false, answered: 0, failures: [String]()))
    let readers = DispatchGroup()
    for reader in 0..<4 {
      readers.enter()
      Thread {
        while !state.withLock({ $0.isStopped }) {
          // As a load balancer does: an instance that is not there now is passed over.
          var answer: Answer?
          for port in reader % 2 == 0 ? ports : ports.reversed() where answer == nil {
            answer = try? HTTPClient.get(port: port, "/box/things", fields: bearer.withLock { $0 })
          }
          state.withLock { state in
            if answer?.status == 200 { state.answered += 1 } else { state.failures.append(answer?.text ?? "no answer") }
          }
          usleep(5000)
        }
        readers.leave()
      }.start()
    }
    func restartAll(_ change: (String) -> String) throws {
      for index in 0..<2 {
        try deployment.edit(index, change)
        try deployment.restart(index)
      }
      let sealed = provider.counts.refreshes
      for _ in 0..<1500 where provider.counts.refreshes < sealed + 1 { usleep(20_000) }
      #expect(provider.counts.refreshes >= sealed + 1)
    }
    let newKey = deployment.folder.appendingPathComponent("k2")
    #expect(try deployment.postern("keys", "rotate", "--file", newKey.path).status == 0)
    try restartAll {
      $0.replacingOccurrences(
        of: "    - { id: k1,", with: "    - { id: k2, secret: \"${file:\(newKey.path)}\" }\n    - { id: k1,")
    }
    try restartAll { $0.replacingOccurrences(of: "active: k1", with: "active: k2") }
    let rewrapped = try deployment.postern("keys", "rewrap")
    #expect(rewrapped.status == 0, "\(rewrapped.output) \(rewrapped.errors)")
    // The old key is needed for Postern's own tokens only, as long as any lives that was issued under it.
    let renewed = try userToken(deployment)
    bearer.withLock { $0 = renewed }
    try restartAll { text in
      text.split(separator: "\n").filter { !$0.contains("{ id: k1,") }.joined(separator: "\n") + "\n"
    }
    state.withLock { $0.isStopped = true }
    readers.wait()
    let (_, answered, failures) = state.withLock { $0 }
    #expect(failures.isEmpty, "\(failures.count) of \(answered): \(failures.prefix(3))")
    #expect(answered > 100)
  }
}
