/// What the engine tells and is told of upstreams' servers.
extension Engine {
  /// A health check found a server well, or not well, from now on.
  func setHealth(of server: ServerKey, _ isHealthy: Bool) {
    loop.assertInLoop()
    upstreamGroups[server.upstream]?.setHealth(of: server, isHealthy)
  }

  /// Every server of every upstream, as this loop sees it.
  var upstreamServers: [UpstreamServerReport] {
    loop.assertInLoop()
    return upstreamGroups.values.flatMap { $0.servers.map(UpstreamServerReport.init) }
  }
}
