"""Resident memory: of an idle process, of an idle connection, of an idle event stream. The kernel's own is not counted."""

import time

from processes import proxied_connections
from stage import GET

IDLE = 10_000
IDLE_TLS = 2_500


def memory(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    tokens = stage.token_file([stage.token(postern)])
    stage.row("resident memory, idle", postern.resident_kilobytes() / 1024, "limit", 40, "MB", "<= 1.0")

    servers = {"postern": postern, "nginx": stage.start_nginx("nginx", UPSTREAM=upstream.port)}
    rows(stage, "idle connections, each", 10, IDLE, {
        name: growth(stage, server, GET, stage.held(server, "load", server.port, GET, tokens, IDLE), tokens)
        for name, server in servers.items()})
    rows(stage, "idle TLS connections, each", None, IDLE_TLS, {
        name: growth(stage, server, GET, stage.held(server, "tls", server.tls_port, GET, tokens, IDLE_TLS), tokens)
        for name, server in servers.items()})

    origin = stage.start_origin()
    servers = {"postern": stage.start_postern(origin, "postern-streams"), "nginx": stage.start_nginx("nginx-streams", UPSTREAM=origin.port)}
    count, path = proxied_connections(IDLE), "/api/events"
    rows(stage, "idle event streams, each", 20, count, {
        name: growth(stage, server, "/api/bytes/100", stage.held(server, "load", server.port, path, tokens, count, "stream"), tokens)
        for name, server in servers.items()})


def rows(stage, name, limit, count, grown):
    name = f"{count} {name}"
    if limit:
        stage.row(name, grown["postern"] / count, "limit", limit, "KB", "<= 1.0")
    stage.row(name, grown["postern"] / count, "nginx", grown["nginx"] / count, "KB")


def growth(stage, server, path, held, tokens):
    """Kilobytes that the server grows by as connections are made, each answered once, and left idle."""
    # What the first requests cost is not the connections'.
    stage.load("closed", server, path, tokens, 8, 0.5)
    before = server.resident_kilobytes()
    with held:
        # Whatever is given back after a request has been by then.
        time.sleep(1)
        return server.resident_kilobytes() - before
