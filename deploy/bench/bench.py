"""Postern beside its peers: interleaved rounds, medians, ratios. Run by deploy/bench.sh."""

import argparse
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from processes import Failed, descriptor_limit
from rows.apart import apart
from rows.body import body
from rows.connection import connection
from rows.connections import connections
from rows.http2 import http2
from rows.jwt import jwt
from rows.keeping import keeping
from rows.memory import memory
from rows.proxy import proxy
from rows.revocation import revocation
from rows.tls import tls
from rows.tokens import tokens
from stage import CONNECTIONS, Stage

HERE = pathlib.Path(__file__).resolve().parent
SECTIONS = {section.__name__: section for section in (proxy, jwt, apart, tls, http2, body, memory, tokens, connection, keeping, revocation, connections)}


def main():
    settings = arguments()
    # Everything that runs is stopped on the way out.
    signal.signal(signal.SIGTERM, interrupt)
    descriptor_limit()
    rows, tables, failures = [], [], []
    with tempfile.TemporaryDirectory(prefix="postern-bench-programs-") as programs:
        settings.programs = programs
        compile_programs(programs)
        for name in settings.sections or SECTIONS:
            print(f"== {name}", flush=True)
            # One that fails does not cost the minutes of the others.
            try:
                with Stage(settings, rows, tables) as stage:
                    SECTIONS[name](stage)
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                print(f"{name} failed: {failure}", flush=True)
                failures.append(name)
    if not settings.sections and not settings.quick:
        write_results(settings, rows, tables)
    if failures:
        sys.exit(f"failed: {', '.join(failures)}")


def interrupt(*_):
    raise KeyboardInterrupt


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postern", required=True, help="the release binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one round")
    parser.add_argument("--quick", action="store_true", help="one round of a second: shows that every row runs, says little")
    parser.add_argument("--full", action="store_true", help="10 GiB up and down instead of 2, connections kept for 11 minutes instead of 1")
    parser.add_argument("sections", nargs="*", metavar="|".join(SECTIONS), help="all without one; only then RESULTS.md is written")
    settings = parser.parse_args()
    for section in settings.sections:
        if section not in SECTIONS:
            parser.error(f"no section {section}; there are {', '.join(SECTIONS)}")
    if settings.quick:
        settings.rounds, settings.seconds = 1, 1
    settings.memory_gibibytes = 10 if settings.full else 2
    settings.keeping_seconds = 660 if settings.full else 60
    return settings


def compile_programs(folder):
    for name, libraries in (("load", []), ("origin", []), ("tls", ["-lssl", "-lcrypto", "-lpthread"])):
        subprocess.run(["cc", "-O2", "-o", f"{folder}/{name}", str(HERE / f"{name}.c"), *libraries], check=True)


def write_results(settings, rows, tables):
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    peers = [version(*command) for command in (
        ("nginx", "-v"), ("haproxy", "-v"), ("apache2", "-v"), ("psql", "--version"), ("wrk", "-v"), ("h2load", "--version"),
        ("openssl", "version"))]
    lines = [
        "# Results of `deploy/bench.sh`", "",
        f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), Linux {platform.release()}; "
        f"medians of {settings.rounds} interleaved rounds of {settings.seconds} s, {CONNECTIONS} connections unless the row says otherwise, "
        "everything on loopback. Ratio: Postern's figure over the peer's.", "",
        f"Peers: {'; '.join(peers)}. Their configuration: [`peers`](peers).", "",
        *table(["row", "Postern", "peer", "peer's figure", "unit", "ratio", "goal"], [row.cells for row in rows]),
    ]
    for title, text, head, cells in tables:
        lines += ["", f"## {title}", "", text, "", *table(head, cells)]
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")


def table(head, cells):
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *cells)]


def version(*command):
    if not shutil.which(command[0]):
        return f"no {command[0]}"
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()[0].strip()


main()
