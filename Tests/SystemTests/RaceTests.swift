import Foundation
import Testing

extension SystemTests {
  @Test("RFC 6749 §4.1.2: one code, redeemed 100 times at once over two processes, yields one token; a replay kills it")
  func codeRace() throws {
    let deployment = try Deployment(processes: 2)
    let proof = Browser.Proof()
    let code = try deployment.newCode(proof)
    let ports = deployment.processes.map(\.port)

    let answers = inParallel(100) { index in try? deployment.redeem(code, proof.verifier, port: ports[index % 2]) }
    #expect(answers.filter { $0?.status == 200 }.count == 1)
    #expect(answers.filter { $0?.status == 400 && $0?.error == "invalid_grant" }.count == 99)

    let won = try #require(answers.compactMap { $0 }.first { $0.status == 200 })
    let access = try #require(won.json["access_token"] as? String)
    let refresh = try #require(won.json["refresh_token"] as? String)
    let replay = try deployment.redeem(code, proof.verifier, port: ports[1])
    #expect(replay.status == 400)
    #expect(replay.error == "invalid_grant")
    #expect(try deployment.isActive(access, port: ports[0]) == false)
    #expect(try deployment.isActive(access, port: ports[1]) == false)
    #expect(try deployment.refresh(refresh).error == "invalid_grant")
  }

  @Test("RFC 7636 §4.6: a wrong verifier and a missing one are refused without burning the code")
  func wrongVerifier() throws {
    let deployment = try Deployment()
    let proof = Browser.Proof()
    let code = try deployment.newCode(proof)
    #expect(try deployment.redeem(code, Browser.Proof().verifier).error == "invalid_grant")
    #expect(try deployment.redeem(code, nil).status == 400)
    #expect(try deployment.redeem(code, proof.verifier).status == 200)
  }

  @Test("RFC 9700 §4.14: 50 parallel refreshes over two processes agree on one successor; reuse after the grace kills the family")
  func refreshRace() throws {
    let deployment = try Deployment(processes: 2, extra: "tokens: { refresh: { grace: 2s } }")
    let proof = Browser.Proof()
    let first = try deployment.redeem(try deployment.newCode(proof), proof.verifier)
    let token = try #require(first.json["refresh_token"] as? String)
    let ports = deployment.processes.map(\.port)

    let answers = inParallel(50) { index in try? deployment.refresh(token, port: ports[index % 2]) }
    #expect(answers.allSatisfy { $0?.status == 200 })
    let successors = Set(answers.compactMap { $0?.json["refresh_token"] as? String })
    #expect(successors.count == 1)
    let successor = try #require(successors.first)
    #expect(successor != token)

    let retry = try deployment.refresh(token)
    #expect(retry.json["refresh_token"] as? String == successor)

    let access = try #require(retry.json["access_token"] as? String)
    #expect(try deployment.isActive(access))
    // The grace window is real time in a real process.
    Thread.sleep(forTimeInterval: 2.5)
    #expect(try deployment.refresh(token).error == "invalid_grant")
    #expect(try deployment.refresh(successor).error == "invalid_grant")
    #expect(try deployment.isActive(access, port: ports[0]) == false)
    #expect(try deployment.isActive(access, port: ports[1]) == false)
  }

  @Test("RFC 6749 §6: a refresh by another client or for a wider scope consumes nothing")
  func badRefreshConsumesNothing() throws {
    let deployment = try Deployment()
    let proof = Browser.Proof()
    let first = try deployment.redeem(try deployment.newCode(proof, scope: "photos.read"), proof.verifier)
    let token = try #require(first.json["refresh_token"] as? String)
    let wider = try deployment.refresh(token, scope: "photos.read albums.list")
    #expect(wider.status == 400)
    #expect(wider.error == "invalid_scope")
    let foreign = try deployment.refresh(token, as: deployment.nightlyReport)
    #expect(foreign.status == 400)
    #expect(try deployment.refresh(token).status == 200)
  }

  @Test("Two instances that start together on an empty database migrate once and share one set of keys")
  func startTogether() throws {
    let deployment = try Deployment(processes: 0)
    for _ in 0..<2 { try deployment.launch() }
    for process in deployment.processes { try process.waitUntilReady() }
    let keys = try deployment.processes.map { try HTTPClient.get(port: $0.port, "/oauth/jwks").text }
    #expect(keys[0] == keys[1])
    #expect(keys[0].contains("\"kty\""))
    let token = try deployment.serviceToken(port: deployment.processes[0].port)
    #expect(try deployment.isActive(token, port: deployment.processes[1].port))
  }
}
