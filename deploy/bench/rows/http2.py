"""HTTP/2 over TLS 1.3 towards the client, HTTP/1.1 upstream."""

import re
import socket
import ssl
import subprocess

from processes import Failed
from stage import GET

CLIENTS = 16
STREAMS_EACH = 32


def http2(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    if chosen_protocol(postern) != "h2":
        return stage.skip("HTTP/2: Postern's listener does not choose h2")
    servers = {"nginx": stage.start_nginx("nginx", UPSTREAM=upstream.port), "postern": postern}
    token = stage.token(postern)
    figures = stage.interleave(servers, lambda server: h2load(stage, server, token))
    stage.row("HTTP/2, proxied GET, CPU per request", figures["postern"][1], "nginx", figures["nginx"][1], "us")
    stage.row("HTTP/2, proxied GET, requests", figures["postern"][0], "nginx", figures["nginx"][0], "1/s")


def chosen_protocol(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", server.tls_port), 5) as connection:
        with context.wrap_socket(connection) as session:
            return session.selected_alpn_protocol()


def h2load(stage, server, token):
    before = server.cpu_seconds()
    output = subprocess.run(
        ["h2load", f"-c{CLIENTS}", f"-m{STREAMS_EACH}", "-t1", f"-D{stage.seconds}", "--warm-up-time=0", "-H",
         f"authorization: Bearer {token}", f"https://127.0.0.1:{server.tls_port}{GET}"],
        check=True, capture_output=True, text=True).stdout
    cpu = server.cpu_seconds() - before
    succeeded = int(re.search(r"(\d+) succeeded", output).group(1))
    answered = int(re.search(r"status codes: (\d+) 2xx", output).group(1))
    failed = re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output).groups()
    if "Application protocol: h2" not in output or answered == 0 or any(int(count) for count in failed):
        raise Failed(f"{server.name} did not answer 200 by HTTP/2 throughout:\n{output}\n{server.last_words()}")
    return answered / stage.seconds, cpu * 1e6 / succeeded
