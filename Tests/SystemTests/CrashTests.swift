import Foundation
import LocalPostgres
import Testing

extension SystemTests {
  @Test("kill -9 of Postern loses no token that was answered, and leaves no code usable twice")
  func killPostern() throws {
    let deployment = try Deployment(processes: 2)
    let survivor = deployment.processes[1].port
    for _ in 0..<3 {
      let victim = try deployment.launch()
      try victim.waitUntilReady()
      let proof = Browser.Proof()
      let codes = try (0..<8).map { _ in try deployment.newCode(proof, port: survivor) }
      let answered = Locked<[String]>([])
      let redeemed = Locked<[String: Int]>([:])
      let killer = Thread {
        usleep(UInt32.random(in: 1_000...60_000))
        victim.kill()
      }
      killer.start()
      _ = inParallel(16) { index in
        if index < codes.count {
          if let answer = try? deployment.redeem(codes[index], proof.verifier, port: victim.port), answer.status == 200 {
            redeemed.withLock { $0[codes[index], default: 0] += 1 }
            if let token = answer.json["access_token"] as? String { answered.withLock { $0.append(token) } }
          }
        } else {
          while let token = try? deployment.serviceToken(port: victim.port) { answered.withLock { $0.append(token) } }
        }
      }
      for token in answered.withLock({ $0 }) { #expect(try deployment.isActive(token, port: survivor)) }
      // Whoever was not answered may try again; nobody wins a second time.
      for code in codes where redeemed.withLock({ $0[code] }) == nil {
        if try deployment.redeem(code, proof.verifier, port: survivor).status == 200 {
          redeemed.withLock { $0[code, default: 0] += 1 }
        }
      }
      for code in codes {
        let again = try deployment.redeem(code, proof.verifier, port: survivor)
        #expect(again.status == 400)
        #expect(redeemed.withLock { $0[code, default: 0] } <= 1)
      }
    }
  }

  @Test("kill -9 of PostgreSQL: 503 with Retry-After, JWT routes and metadata go on, recovery without a restart")
  func killPostgres() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pg-\(UInt32.random(in: 0...UInt32.max))")
    let postgres = try LocalPostgres.start(directory: folder.path, durable: true)
    defer {
      try? postgres.stop(immediate: true)
      try? FileManager.default.removeItem(at: folder)
    }
    let deployment = try Deployment(postgres: postgres)
    try deployment.startCloudVault()
    let opaque = try deployment.serviceToken()
    let jwt = try deployment.serviceJWT()
    let bearer = ["Authorization": "Bearer \(jwt)"]
    #expect(try HTTPClient.get(port: deployment.port, "/photos", fields: bearer).status == 200)

    try postgres.kill()
    let down = try HTTPClient.post(
      port: deployment.port, "/oauth/token", form: [("grant_type", "client_credentials")], fields: deployment.nightlyReport)
    #expect(down.status == 503)
    #expect(down.field("Retry-After") != nil)
    #expect(try HTTPClient.get(port: deployment.port, "/.well-known/oauth-authorization-server").status == 200)
    #expect(try HTTPClient.get(port: deployment.port, "/photos", fields: bearer).status == 200)
    _ = try deployment.serviceJWT()

    try postgres.startServer()
    try deployment.waitUntil("tokens are issued again") { (try? deployment.serviceToken()) != nil }
    #expect(try deployment.isActive(opaque))
    #expect(deployment.processes[0].isRunning)
  }
}
