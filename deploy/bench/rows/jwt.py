"""A proxied GET with an ES256 JWT: HAProxy verifies each, Postern remembers what it verified."""

import json
import pathlib
import urllib.request

from stage import CONNECTIONS, GET, p256_pem

DIFFERENT_TOKENS = 5000


def jwt(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    servers = {"HAProxy jwt_verify": start_haproxy(stage, upstream, postern), "postern": postern}
    tokens = [stage.token(postern, "bench-jwt") for _ in range(DIFFERENT_TOKENS)]
    for name, count, goal in (("one token", 1, ">= 5.0"), (f"{DIFFERENT_TOKENS} tokens", DIFFERENT_TOKENS, ">= 1.5")):
        file = stage.token_file(tokens[:count], f"jwt-{count}")

        def measure(server):
            answer, cpu = stage.load("closed", server, GET, file, CONNECTIONS, stage.seconds)
            return answer["rate"], cpu * 1e6 / answer["requests"]

        figures = stage.interleave(servers, measure)
        ours, theirs = figures["postern"], figures["HAProxy jwt_verify"]
        stage.row(f"ES256 JWT, {name}, requests", ours[0], "HAProxy jwt_verify", theirs[0], "1/s", goal)
        stage.row(f"ES256 JWT, {name}, CPU per request", ours[1], "HAProxy jwt_verify", theirs[1], "us")


def start_haproxy(stage, upstream, postern):
    """HAProxy with the key that Postern signs with."""
    with urllib.request.urlopen(f"http://127.0.0.1:{postern.port}/oauth/jwks", timeout=10) as answer:
        keys = json.load(answer)["keys"]
    public_key = pathlib.Path(stage.folder, "es256.pem")
    public_key.write_text(p256_pem(next(key for key in keys if key["kty"] == "EC")))
    return stage.start_haproxy(upstream, public_key)
