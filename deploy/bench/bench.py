"""Postern beside its peers: interleaved rounds, medians, ratios. Run by deploy/bench.sh."""

import argparse
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

from processes import Postgres, Server, free_port, random_key

HERE = pathlib.Path(__file__).resolve().parent
BODY = json.dumps({"id": "cus_0123456789", "name": "Alice Example", "note": "x" * 120})
SECRET = "bench-secret-0123456789abcdefghijklmnop"
UPSTREAM_KEY = "upstream-secret-abcdefghijklmnopqrstuvwxyz0123456789"


class Bench:
    def __init__(self, postern, folder, rounds, seconds):
        self.postern, self.folder, self.rounds, self.seconds = postern, folder, rounds, seconds
        self.servers, self.rows = [], []
        self.postgres = None
        self.key = random_key()

    # Set-up

    def start_postgres(self):
        if not self.postgres:
            self.postgres = Postgres(f"{self.folder}/pg")

    def start(self, name, command, port, env=None):
        server = Server(name, command, port, f"{self.folder}/{name}.log", env)
        self.servers.append(server)
        return server

    def start_nginx(self, name, template, **values):
        port = free_port()
        folder = pathlib.Path(self.folder, name)
        folder.mkdir()
        text = (HERE / template).read_text()
        for key, value in {"PORT": port, "FOLDER": folder, **values}.items():
            text = text.replace(f"@{key}@", str(value))
        (folder / "nginx.conf").write_text(text)
        return self.start(name, ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], port)

    def start_postern(self, upstream_port, name="postern"):
        self.start_postgres()
        port, admin = free_port(), free_port()
        config = pathlib.Path(self.folder, f"{name}.yaml")
        config.write_text((HERE / "postern.yaml").read_text()
                          .replace("@PORT@", str(port)).replace("@ADMIN@", str(admin))
                          .replace("@UPSTREAM@", str(upstream_port)))
        env = {
            "POSTERN_DATABASE_URL": self.postgres.uri("postern"), "POSTERN_KEY": self.key,
            "BENCH_SECRET": SECRET, "UPSTREAM_KEY": UPSTREAM_KEY, "POSTERN_LOG": "warning",
        }
        return self.start(name, [self.postern, "serve", "--config", str(config)], port, env)

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        if self.postgres:
            self.postgres.stop()

    # Measuring

    def wrk(self, server, path, script=None, headers=()):
        """One round: requests per second, and CPU microseconds of the server per request."""
        command = ["wrk", "-t1", "-c64", f"-d{self.seconds}s"]
        for header in headers:
            command += ["-H", header]
        if script:
            command += ["-s", str(HERE / script)]
        before = server.cpu_seconds()
        output = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}{path}"], check=True, capture_output=True, text=True,
            env={**os.environ, "BENCH_SECRET": SECRET},
        ).stdout
        cpu = server.cpu_seconds() - before
        requests = int(re.search(r"(\d+) requests in", output).group(1))
        if "Non-2xx" in output or "Socket errors" in output:
            raise SystemExit(f"{server.name} did not answer 200 throughout:\n{output}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), cpu * 1e6 / requests

    def row(self, name, ours, peer_name, peer, unit, goal):
        ratio = ours / peer if peer else float("nan")
        self.rows.append((name, ours, peer_name, peer, unit, ratio, goal))
        print(f"{name}  {ours:.1f} {unit}  {peer_name} {peer:.1f} {unit}  ratio {ratio:.2f}  (goal {goal})", flush=True)

    def tokens(self):
        """Client-credentials tokens, opaque and durable, beside single-row inserts by pgbench on the same cluster."""
        upstream = self.start_nginx("upstream-tokens", "upstream.conf", BODY=BODY)
        postern = self.start_postern(upstream.port)
        pg = self.postgres
        pg.run("psql", "-q", "-h", pg.folder, "-U", "app", "-d", "bench", "-c",
               "create table item (id bigint generated always as identity primary key, hash bytea not null, "
               "subject text not null, expires_at timestamptz not null)")
        script = pathlib.Path(pg.folder, "insert.sql")
        script.write_text("insert into item (hash, subject, expires_at) values "
                          "('\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'bench', now());\n")
        ours, theirs = [], []
        for _ in range(self.rounds):
            rate, _ = self.wrk(postern, "/oauth/token", script="token.lua")
            ours.append(rate)
            output = pg.run("pgbench", "-h", pg.folder, "-U", "app", "-n", "-M", "prepared", "-c", "64", "-j", "2",
                            "-T", str(self.seconds), "-f", str(script), "bench")
            theirs.append(float(re.search(r"tps = ([\d.]+)", output).group(1)))
        self.row("client-credentials tokens", statistics.median(ours), "pgbench inserts", statistics.median(theirs), "1/s", ">= 1.0")

    def proxy(self):
        """One proxied GET of about 200 bytes over kept-alive connections on both sides."""
        upstream = self.start_nginx("upstream", "upstream.conf", BODY=BODY)
        plain = self.start_nginx("nginx", "nginx-proxy.conf", UPSTREAM=upstream.port)
        postern = self.start_postern(upstream.port)
        token = self.token(postern.port)
        lua = self.start_nginx("nginx-lua", "nginx-lua.conf", UPSTREAM=upstream.port, TOKEN=token, KEY=UPSTREAM_KEY)
        bearer = [f"Authorization: Bearer {token}"]
        figures = {"postern": [], "nginx": [], "nginx-lua": []}
        rates = {"postern": [], "nginx": [], "nginx-lua": []}
        for _ in range(self.rounds):
            for server, name in ((plain, "nginx"), (postern, "postern"), (lua, "nginx-lua")):
                rate, cpu = self.wrk(server, "/api/customer", headers=bearer)
                figures[name].append(cpu)
                rates[name].append(rate)
        cpu = {name: statistics.median(values) for name, values in figures.items()}
        rate = {name: statistics.median(values) for name, values in rates.items()}
        self.row("proxied GET, CPU per request", cpu["postern"], "nginx proxy_pass", cpu["nginx"], "us", "<= 0.85")
        self.row("proxied GET, CPU per request", cpu["postern"], "nginx + Lua shared dict", cpu["nginx-lua"], "us", "<= 0.80")
        self.row("proxied GET, requests", rate["postern"], "nginx proxy_pass", rate["nginx"], "1/s", "-")

    def memory(self):
        upstream = self.start_nginx("upstream-memory", "upstream.conf", BODY=BODY)
        postern = self.start_postern(upstream.port)
        self.token(postern.port)
        self.row("resident memory, idle", postern.resident_kilobytes() / 1024, "limit", 40, "MB", "<= 1.0")

    def revocation(self):
        """From the answer to a revocation until another instance refuses the token."""
        upstream = self.start_nginx("upstream-revocation", "upstream.conf", BODY=BODY)
        first, second = self.start_postern(upstream.port, "first"), self.start_postern(upstream.port, "second")
        api = http.client.HTTPConnection("127.0.0.1", second.port, timeout=10)

        def status(token):
            api.request("GET", "/api/customer", headers={"Authorization": f"Bearer {token}"})
            response = api.getresponse()
            response.read()
            return response.status

        milliseconds = []
        for _ in range(300):
            token = self.token(first.port)
            if status(token) != 200:
                raise SystemExit("the second instance refused a good token")
            self.post(first.port, "/oauth/revoke", f"token={token}")
            revoked_at = time.perf_counter()
            while status(token) != 401:
                if time.perf_counter() - revoked_at > 5:
                    raise SystemExit("a revocation was not heard of in 5 s")
            milliseconds.append((time.perf_counter() - revoked_at) * 1000)
        p99 = statistics.quantiles(milliseconds, n=100)[98]
        self.row("revocation heard by another instance, p99", p99, "bound", 100, "ms", "<= 1.0")

    def token(self, port):
        return json.loads(self.post(port, "/oauth/token", "grant_type=client_credentials"))["access_token"]

    def post(self, port, path, form):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", method="POST",
            data=f"{form}&client_id=bench&client_secret={SECRET}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()

    def write_results(self):
        def version(*command):
            done = subprocess.run(command, capture_output=True, text=True)
            return (done.stdout + done.stderr).splitlines()[0].strip()

        model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
        lines = [
            "# Results of `deploy/bench.sh`", "",
            f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), Linux {platform.release()}; "
            f"medians of {self.rounds} interleaved rounds of {self.seconds} s, 64 connections, everything on loopback.", "",
            f"Peers: {version('nginx', '-v')}; {version('psql', '--version')}; {version('wrk', '-v')}.", "",
            "| row | Postern | peer | peer's figure | unit | ratio | goal |", "|---|---|---|---|---|---|---|",
        ]
        for name, ours, peer_name, peer, unit, ratio, goal in self.rows:
            lines.append(f"| {name} | {ours:.1f} | {peer_name} | {peer:.1f} | {unit} | {ratio:.2f} | {goal} |")
        (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postern", required=True, help="the release binary")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4, help="length of one round")
    parser.add_argument("sections", nargs="*", metavar="memory|proxy|tokens|revocation")
    arguments = parser.parse_args()
    all_sections = ["memory", "proxy", "tokens", "revocation"]
    sections = arguments.sections or all_sections
    for section in sections:
        if section not in all_sections:
            parser.error(f"no section {section}; there are {', '.join(all_sections)}")
    rows = []
    for section in sections:
        folder = tempfile.mkdtemp(prefix="postern-bench-")
        os.chmod(folder, 0o755)
        bench = Bench(arguments.postern, folder, arguments.rounds, arguments.seconds)
        bench.rows = rows
        try:
            getattr(bench, section)()
        finally:
            bench.stop()
            shutil.rmtree(folder, ignore_errors=True)
    if sections == all_sections:
        bench.write_results()


main()
