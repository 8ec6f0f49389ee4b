"""100,000 connections whose tokens live ten minutes, kept fresh by two instances though nobody asks."""

import json
import time

CONNECTIONS = 100_000
LIFETIME = 600


def keeping(stage):
    upstream = stage.start_upstream()
    instances = [stage.start_postern(upstream, name) for name in ("postern-1", "postern-2")]
    # Spread over one life, and none so near its end that nobody could have refreshed it.
    lines = (json.dumps({
        "provider": "vault", "subject": f"user-{number}", "access_token": f"imported-{number}", "refresh_token": f"refresh-{number}",
        "expires_in": 90 + number * (LIFETIME - 90) // CONNECTIONS}) for number in range(CONNECTIONS))
    began = time.monotonic()
    stage.command(instances[0], "connection", "import", input="\n".join(lines))
    print(f"imported {CONNECTIONS} connections in {time.monotonic() - began:.0f} s", flush=True)
    memory, cpu = total(instances, "resident_kilobytes"), total(instances, "cpu_seconds")
    ended = most = 0
    until = time.monotonic() + stage.settings.keeping_seconds
    while time.monotonic() < until:
        time.sleep(1)
        ended = max(ended, count(stage, "expires_at <= clock_timestamp()"))
        most = max(most, total(instances, "resident_kilobytes"))
    refreshed = count(stage, "generation > 1")
    if not refreshed:
        return stage.skip("nothing was due")
    name = f"{CONNECTIONS} connections kept for {stage.settings.keeping_seconds} s"
    stage.row(f"{name}, tokens that ended unrefreshed", ended, "limit", 1, "", "< 1.0")
    stage.row(f"{name}, CPU per refresh", (total(instances, "cpu_seconds") - cpu) * 1e6 / refreshed, "-", 0, "us")
    stage.row(f"{name}, memory of each refreshed", (most - memory) / refreshed, "limit", 1, "KB", "<= 1.0")


def total(instances, figure):
    return sum(getattr(instance, figure)() for instance in instances)


def count(stage, condition):
    postgres = stage.postgres
    return int(postgres.run(
        "psql", "-At", "-h", postgres.folder, "-U", "app", "-d", "postern", "-c",
        f"SELECT count(*) FROM connection_credential WHERE {condition}"))
