"""Starts what is measured, on loopback, and reads what it cost: CPU time and memory from /proc."""

import base64
import glob
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """A row cannot be measured: a server does not start, or does not answer as it should."""


TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def descriptor_limit():
    """Raises this process's limit of open files, and that of what it starts, as far as it may.

    - Returns: the limit.
    """
    wanted = 65536
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(hard, wanted)), (min(hard, wanted), hard)):
        if soft >= wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, PermissionError):
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def processors():
    """Those that this process and what it starts may run on."""
    return sorted(os.sched_getaffinity(0))


def proxied_connections(wanted):
    """As many connections through a proxy as are wanted and the limit of open files allows: each takes two of them."""
    other_descriptors = 500
    return min(wanted, (descriptor_limit() - other_descriptors) // 2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"nothing listens on 127.0.0.1:{port} after {seconds} s")


class Server:
    """A process and its children."""

    def __init__(self, name, command, port, log, env=None):
        self.name, self.port, self.log = name, port, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **(env or {})}, start_new_session=True
            )
        try:
            wait_for_port(port)
        except Failed:
            print(self.last_words())
            self.stop()
            raise

    def pids(self):
        found, pending = [], [self.process.pid]
        while pending:
            pid = pending.pop()
            found.append(pid)
            for children in glob.glob(f"/proc/{pid}/task/*/children"):
                try:
                    pending += [int(child) for child in pathlib.Path(children).read_text().split()]
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        """User and system time of all processes so far."""
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_SECOND

    def resident_kilobytes(self):
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        return total

    def last_words(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-4000:]

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)


class Postgres:
    """A private, durable cluster on a unix socket."""

    def __init__(self, folder):
        candidates = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
        self.bin = candidates[-1]
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.prefix = []
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            self.prefix = "setpriv --reuid=postgres --regid=postgres --init-groups --reset-env".split()
        self.run("initdb", "-D", f"{folder}/data", "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions")
        options = f"-k {folder} -c listen_addresses= -c shared_buffers=1GB -c max_wal_size=4GB -c max_connections=200"
        self.run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start")
        self.run("createdb", "-h", folder, "-U", "app", "postern")
        self.run("createdb", "-h", folder, "-U", "app", "bench")

    def run(self, program, *arguments):
        done = subprocess.run(
            [*self.prefix, f"{self.bin}/{program}", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        if done.returncode:
            raise Failed(f"{program} failed:\n{done.stdout}")
        return done.stdout

    def uri(self, database):
        return f"postgresql:///{database}?host={self.folder}&user=app"

    def stop(self):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")


def random_key():
    return base64.b64encode(os.urandom(32)).decode()
