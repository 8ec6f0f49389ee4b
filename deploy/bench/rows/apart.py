"""What a proxy can carry when it has one processor to itself, and upstream and load have the others: then it is the proxy that is full, and
not what it is measured with."""

from processes import processors
from rows.jwt import start_haproxy
from stage import CONNECTIONS, GET, UPSTREAM_KEY


def apart(stage):
    if len(processors()) < 2:
        return stage.skip("one processor: nothing can be set apart")
    stage.set_apart()
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    opaque, jwt = stage.token(postern), stage.token(postern, "bench-jwt")
    compare(stage, "on a processor of its own, proxied GET", opaque, {
        "postern": postern,
        "nginx proxy_pass": stage.start_nginx("nginx", UPSTREAM=upstream.port),
        "nginx + Lua shared dict": stage.start_nginx("nginx-lua", "nginx-lua.conf", UPSTREAM=upstream.port, TOKEN=opaque, KEY=UPSTREAM_KEY),
    }, {"nginx proxy_pass": ">= 1.1"})
    compare(stage, "on a processor of its own, ES256 JWT, one token", jwt, {
        "postern": postern, "HAProxy jwt_verify": start_haproxy(stage, upstream, postern),
    }, {"HAProxy jwt_verify": ">= 5.0"})


def compare(stage, name, token, servers, goals):
    file = stage.token_file([token])
    figures = stage.interleave(
        servers, lambda server: [stage.load("closed", server, GET, file, CONNECTIONS, stage.seconds)[0]["rate"]])
    for peer in servers:
        if peer != "postern":
            stage.row(f"{name}, requests", figures["postern"][0], peer, figures[peer][0], "1/s", goals.get(peer, "-"))
