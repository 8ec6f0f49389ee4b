import Foundation
import Testing

extension SystemTests {
  @Test("A process has one loop for each processor it may run on, and as many open files as the hard limit allows")
  func processLimits() throws {
    let wrapper = FileManager.default.temporaryDirectory.appendingPathComponent("postern-limited-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: wrapper) }
    // The first processor that this process may run on itself.
    let script = """
      #!/bin/sh
      processor=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/self/status)
      exec prlimit --nofile=256:2048 taskset -c "$processor" "\(PosternProcess.binary.path)" "$@"
      """
    try script.write(to: wrapper, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: wrapper.path)
    let deployment = try Deployment(program: wrapper)
    func line() -> Substring? { deployment.processes[0].logText.split(separator: "\n").first { $0.contains("\"serving\"") } }
    // Its doors are open a moment before it says so.
    try deployment.waitUntil("it says that it serves") { line() != nil }
    let serving = try #require(line())
    #expect(serving.contains("\"loops\":\"1\""), "\(serving)")
    #expect(serving.contains("\"open_files\":\"2048\""), "\(serving)")
  }
}
