"""TLS 1.3 towards the client, an ECDSA P-256 certificate, clear text upstream."""

from stage import GET


def tls(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    servers = {"nginx": stage.start_nginx("nginx", UPSTREAM=upstream.port), "postern": postern}
    token = stage.token(postern)
    tokens = stage.token_file([token])

    headers = [f"Authorization: Bearer {token}"]
    figures = stage.interleave(servers, lambda server: stage.wrk(server, GET, headers=headers, tls=True))
    stage.row("TLS, proxied GET, CPU per request", figures["postern"][1], "nginx", figures["nginx"][1], "us")
    stage.row("TLS, proxied GET, requests", figures["postern"][0], "nginx", figures["nginx"][0], "1/s")

    for kind in ("full", "resumed"):

        def measure(server):
            answer, cpu = stage.handshakes(server, tokens, kind)
            return answer["rate"], cpu * 1e6 / answer["handshakes"]

        figures = stage.interleave(servers, measure)
        stage.row(f"TLS, {kind} handshake + GET, CPU", figures["postern"][1], "nginx", figures["nginx"][1], "us")
        stage.row(f"TLS, {kind} handshakes + GET", figures["postern"][0], "nginx", figures["nginx"][0], "1/s")
