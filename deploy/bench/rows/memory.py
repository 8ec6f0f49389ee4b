"""Resident memory: of an idle process, of an idle connection, of an idle event stream. The kernel's own is not counted."""

import subprocess
import time

from processes import proxied_connections
from stage import GET

IDLE = 10_000


def memory(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    tokens = stage.token_file([stage.token(postern)])
    stage.row("resident memory, idle", postern.resident_kilobytes() / 1024, "limit", 40, "MB", "<= 1.0")

    nginx = stage.start_nginx("nginx", UPSTREAM=upstream.port)
    rows(stage, f"{IDLE} idle connections, each", 10, IDLE, postern, nginx, GET, tokens, IDLE)

    origin = stage.start_origin()
    postern, nginx = stage.start_postern(origin, "postern-streams"), stage.start_nginx("nginx-streams", UPSTREAM=origin.port)
    count = proxied_connections(IDLE)
    rows(stage, f"{count} idle event streams, each", 20, count, postern, nginx, "/api/events", tokens, count, "stream")


def rows(stage, name, limit, count, postern, nginx, path, tokens, *words):
    ours, theirs = (growth(stage, server, path, tokens, *words) / count for server in (postern, nginx))
    stage.row(name, ours, "limit", limit, "KB", "<= 1.0")
    stage.row(name, ours, "nginx", theirs, "KB")


def growth(stage, server, path, tokens, count, *words):
    """Kilobytes that the server grows by as the connections are made, each answered once, and left idle."""
    # What the first requests cost is not the connections'.
    stage.load("closed", server, GET if not words else "/api/bytes/100", tokens, 8, 0.5)
    before = server.resident_kilobytes()
    command = [stage.program("load"), "hold", str(server.port), path, tokens, str(count), *words]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if not holder.stdout.readline():
            raise SystemExit(f"{server.name}: {holder.stderr.read()}\n{server.last_words()}")
        time.sleep(1)
        return server.resident_kilobytes() - before
    finally:
        holder.stdin.close()
        holder.wait(20)
