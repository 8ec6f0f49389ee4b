"""What every row needs: the servers it compares, tokens, load, and where its figures go."""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import urllib.request

from processes import Failed, Postgres, Server, descriptor_limit, free_port, processors, random_key

HERE = pathlib.Path(__file__).resolve().parent
BODY = json.dumps({"id": "cus_0123456789", "name": "Alice Example", "note": "x" * 120})
SECRET = "bench-secret-0123456789abcdefghijklmnop"
UPSTREAM_KEY = "upstream-secret-abcdefghijklmnopqrstuvwxyz0123456789"
CONNECTIONS = 64
GET = "/api/customer"


class Row:
    """One line of the results. `ratio` is ours over the peer's."""

    def __init__(self, name, ours, peer, theirs, unit, goal):
        self.name, self.ours, self.peer, self.theirs, self.unit, self.goal = name, ours, peer, theirs, unit, goal
        self.ratio = ours / theirs if theirs else float("nan")

    def __str__(self):
        return (f"{self.name}  {self.ours:.1f} {self.unit}  {self.peer} {self.theirs:.1f} {self.unit}  "
                f"ratio {self.ratio:.2f}  (goal {self.goal})")

    @property
    def cells(self):
        return [self.name, f"{self.ours:.1f}", self.peer, f"{self.theirs:.1f}", self.unit, f"{self.ratio:.2f}", self.goal]


class Stage:
    """The servers of one section, on loopback, and the load on them. A context manager: whatever happens, all of it is stopped."""

    def __init__(self, settings, rows, tables):
        self.settings, self.rows, self.tables = settings, rows, tables
        self.rounds, self.seconds = settings.rounds, settings.seconds
        self.key = random_key()
        self.postgres = None
        self.for_servers = self.for_load = processors()

    def __enter__(self):
        self.endings = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="postern-bench-")
        self.endings.callback(shutil.rmtree, self.folder, ignore_errors=True)
        # PostgreSQL and Apache's workers give up root.
        os.chmod(self.folder, 0o755)
        self.certificate, self.key_file = f"{self.folder}/tls.crt", f"{self.folder}/tls.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key_file, "-out", self.certificate],
            check=True, capture_output=True)
        return self

    def __exit__(self, *_):
        self.endings.close()

    def set_apart(self):
        """From now on the servers that are compared have one processor to themselves, upstream and load the others."""
        self.for_servers, self.for_load = processors()[:1], processors()[1:]

    # Servers

    def start(self, name, command, port, env=None, on=None):
        server = Server(name, self.pinned(command, on or self.for_servers), port, f"{self.folder}/{name}.log", env)
        self.endings.callback(server.stop)
        return server

    @staticmethod
    def pinned(command, wanted):
        return command if wanted == processors() else ["taskset", "-c", ",".join(map(str, wanted)), *command]

    def configured(self, name, template, **values):
        """Fills in a template of peers/.

        - Returns: the file, in a folder of its own.
        """
        folder = pathlib.Path(self.folder, name)
        folder.mkdir()
        text = (HERE / "peers" / template).read_text()
        for key, value in {"FOLDER": folder, "WORKERS": len(self.for_servers), "FILES": descriptor_limit(), "CERTIFICATE": self.certificate,
                           "KEY_FILE": self.key_file, **values}.items():
            text = text.replace(f"@{key}@", str(value))
        file = folder / template
        file.write_text(text)
        return file

    def start_nginx(self, name, template="nginx.conf", on=None, **values):
        port, tls_port = free_port(), free_port()
        file = self.configured(name, template, PORT=port, TLS_PORT=tls_port, **values)
        server = self.start(name, ["nginx", "-p", str(file.parent), "-c", str(file), "-g", "daemon off;"], port, on=on)
        server.tls_port = tls_port
        return server

    def start_upstream(self):
        """The upstream of small requests: nginx, which answers about 200 bytes from its configuration."""
        return self.start_nginx("upstream", "upstream.conf", on=self.for_load, BODY=BODY)

    def start_origin(self):
        """The upstream of bodies and streams."""
        port = free_port()
        return self.start("origin", [self.program("origin"), str(port)], port, on=self.for_load)

    def start_postern(self, upstream, name="postern", on=None):
        """- on: the processors it may run on, which is how many loops it has."""
        if not self.postgres:
            self.postgres = Postgres(f"{self.folder}/pg")
            self.endings.callback(self.postgres.stop)
        port, tls_port, admin_port = free_port(), free_port(), free_port()
        file = self.configured(
            name, "postern.yaml", PORT=port, TLS_PORT=tls_port, ADMIN=admin_port, UPSTREAM=upstream.port)
        env = {
            "POSTERN_DATABASE_URL": self.postgres.uri("postern"), "POSTERN_KEY": self.key,
            "BENCH_SECRET": SECRET, "UPSTREAM_KEY": UPSTREAM_KEY, "POSTERN_LOG": "warning",
        }
        server = self.start(name, [self.settings.postern, "serve", "--config", str(file)], port, env, on)
        server.tls_port, server.admin_port = tls_port, admin_port
        server.file, server.env = file, env
        return server

    def command(self, server, *arguments, input=None):
        """Runs a command of Postern on a server's configuration."""
        done = subprocess.run(
            [self.settings.postern, *arguments, "--config", str(server.file)], input=input, capture_output=True, text=True,
            env={**os.environ, **server.env})
        if done.returncode:
            raise Failed(f"postern {' '.join(arguments)} failed:\n{done.stderr}")
        return done.stdout

    def start_haproxy(self, upstream, public_key):
        port = free_port()
        file = self.configured("haproxy", "haproxy.cfg", PORT=port, UPSTREAM=upstream.port, PUBLIC_KEY=public_key, KEY=UPSTREAM_KEY)
        return self.start("haproxy", ["haproxy", "-db", "-f", str(file)], port)

    def start_apache(self, upstream, issuer):
        port = free_port()
        user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
        file = self.configured("apache", "apache.conf", PORT=port, UPSTREAM=upstream.port, ISSUER_PORT=issuer.port, SECRET=SECRET,
                               KEY=UPSTREAM_KEY, USER=user)
        return self.start("apache", ["apache2", "-f", str(file), "-DFOREGROUND"], port)

    # Tokens

    def token(self, server, client="bench"):
        answer = self.post(server, "/oauth/token", f"grant_type=client_credentials&client_id={client}&client_secret={SECRET}")
        return json.loads(answer)["access_token"]

    def token_file(self, tokens, name="tokens"):
        file = pathlib.Path(self.folder, name)
        file.write_text("\n".join(tokens) + "\n")
        return str(file)

    @staticmethod
    def post(server, path, form):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{path}", method="POST", data=form.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()

    # Load

    def program(self, name):
        return str(pathlib.Path(self.settings.programs, name))

    def load(self, mode, server, path, tokens, *words):
        """Runs `load`.

        - Returns: what it printed, and the CPU seconds of the server meanwhile.
        """
        return self.measured([self.program("load"), mode, str(server.port), path, tokens, *map(str, words)], server)

    def handshakes(self, server, tokens, kind):
        return self.measured([self.program("tls"), kind, str(server.tls_port), GET, tokens, "4", str(self.seconds)], server)

    @contextlib.contextmanager
    def held(self, server, program, port, path, tokens, count, *words):
        """While it lasts, that many connections are open and idle."""
        command = [self.program(program), "hold", str(port), path, tokens, str(count), *words]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if not holder.stdout.readline():
                raise Failed(f"{server.name}: {holder.stderr.read()}\n{server.last_words()}")
            yield
        finally:
            holder.communicate(timeout=20)

    def measured(self, command, server):
        before = server.cpu_seconds()
        done = subprocess.run(self.pinned(command, self.for_load), capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{server.name}: {done.stderr}\n{server.last_words()}")
        return json.loads(done.stdout), server.cpu_seconds() - before

    def wrk(self, server, path, script=None, headers=(), tls=False):
        """One round: requests per second, and CPU microseconds of the server per request."""
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s"]
        for header in headers:
            command += ["-H", header]
        if script:
            command += ["-s", str(HERE / script)]
        scheme, port = ("https", server.tls_port) if tls else ("http", server.port)
        before = server.cpu_seconds()
        output = subprocess.run(
            [*command, f"{scheme}://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True,
            env={**os.environ, "BENCH_SECRET": SECRET},
        ).stdout
        cpu = server.cpu_seconds() - before
        requests = int(re.search(r"(\d+) requests in", output).group(1))
        if "Non-2xx" in output or "Socket errors" in output:
            raise Failed(f"{server.name} did not answer 200 throughout:\n{output}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), cpu * 1e6 / requests

    def interleave(self, candidates, measure):
        """Measures every candidate once a round, so that what else the machine does meets all of them.

        - candidates: name to server.
        - Returns: for each name its medians, one for each figure that `measure` returns.
        """
        figures = {name: [] for name in candidates}
        for _ in range(self.rounds):
            for name, server in candidates.items():
                figures[name].append(measure(server))
        return {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in figures.items()}

    # Results

    def row(self, name, ours, peer, theirs, unit, goal="-"):
        row = Row(name, ours, peer, theirs, unit, goal)
        self.rows.append(row)
        print(row, flush=True)

    def skip(self, text):
        print(f"skipped: {text}", flush=True)


def p256_pem(jwk):
    """The public key of a JWK as PEM. Source: RFC 5480 §2: the algorithm and curve are constant bytes before the point."""
    point = b"\x04" + b"".join(base64.urlsafe_b64decode(jwk[part] + "==") for part in ("x", "y"))
    encoded = base64.b64encode(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + point).decode()
    return "\n".join(["-----BEGIN PUBLIC KEY-----", encoded[:64], encoded[64:], "-----END PUBLIC KEY-----", ""])
