"""One proxied GET of about 200 bytes, opaque token cached, credential injected, over kept-alive connections on both sides."""

import statistics

from stage import CONNECTIONS, GET, UPSTREAM_KEY


def proxy(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    token = stage.token(postern)
    servers = {
        "nginx proxy_pass": stage.start_nginx("nginx", UPSTREAM=upstream.port),
        "postern": postern,
        "nginx + Lua shared dict": stage.start_nginx("nginx-lua", "nginx-lua.conf", UPSTREAM=upstream.port, TOKEN=token, KEY=UPSTREAM_KEY),
        "Apache mod_oauth2": stage.start_apache(upstream, issuer=postern),
    }
    headers = [f"Authorization: Bearer {token}"]
    figures = stage.interleave(servers, lambda server: stage.wrk(server, GET, headers=headers))
    rate, cpu = figures["postern"]
    for peer, goal in (("nginx proxy_pass", "<= 0.85"), ("nginx + Lua shared dict", "<= 0.80"), ("Apache mod_oauth2", "-")):
        stage.row("proxied GET, CPU per request", cpu, peer, figures[peer][1], "us", goal)
    for peer, goal in (("nginx proxy_pass", ">= 1.1"), ("nginx + Lua shared dict", "-"), ("Apache mod_oauth2", "-")):
        stage.row("proxied GET, requests", rate, peer, figures[peer][0], "1/s", goal)
    latency(stage, {"direct": upstream, "postern": postern, "nginx": servers["nginx proxy_pass"]}, stage.token_file([token]), rate / 2)


def latency(stage, servers, tokens, rate):
    """What the proxies add to the time of 99 requests of 100, when requests come at half the rate that Postern can serve."""

    def p99(server):
        figures, _ = stage.load("paced", server, GET, tokens, CONNECTIONS, stage.seconds, round(rate))
        return figures["p99_us"]

    rounds = [{name: p99(server) for name, server in servers.items()} for _ in range(stage.rounds)]
    added = {name: statistics.median(figures[name] - figures["direct"] for figures in rounds) / 1000 for name in ("postern", "nginx")}
    stage.row("proxied GET at half load, p99 above direct", added["postern"], "limit", 1.0, "ms", "<= 1.0")
    stage.row("proxied GET at half load, p99 above direct", added["postern"], "nginx proxy_pass", added["nginx"], "ms")
