"""Large bodies, one connection, clear text: throughput beside nginx, and what they add to Postern's memory."""

import threading

GIB = 1 << 30


def body(stage):
    origin = stage.start_origin()
    postern = stage.start_postern(origin)
    servers = {"nginx": stage.start_nginx("nginx", UPSTREAM=origin.port), "postern": postern}
    tokens = stage.token_file([stage.token(postern)])

    def transfer(server, mode, size):
        path, words = (f"/api/bytes/{size}", ()) if mode == "down" else ("/api/bytes", (size,))
        answer, cpu = stage.load(mode, server, path, tokens, *words)
        return size / answer["seconds"] / (1 << 20), cpu * 1000 / (size / GIB)

    for mode in ("down", "up"):
        figures = stage.interleave(servers, lambda server: transfer(server, mode, GIB))
        stage.row(f"1 GiB body {mode}, throughput", figures["postern"][0], "nginx", figures["nginx"][0], "MiB/s", ">= 0.9")
        stage.row(f"1 GiB body {mode}, CPU", figures["postern"][1], "nginx", figures["nginx"][1], "ms")

    size = stage.settings.memory_gibibytes * GIB
    before = postern.resident_kilobytes()
    peak = Peak(postern)
    for mode in ("down", "up"):
        transfer(postern, mode, size)
    growth = max(0, peak.stop() - before) / 1024
    stage.row(f"memory growth by {stage.settings.memory_gibibytes} GiB down and up", growth, "limit", 32, "MB", "<= 1.0")


class Peak:
    """The most memory that a server was seen with."""

    def __init__(self, server, interval=0.02):
        self.server, self.interval = server, interval
        self.kilobytes = server.resident_kilobytes()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ended.wait(self.interval):
            self.kilobytes = max(self.kilobytes, self.server.resident_kilobytes())

    def stop(self):
        self.ended.set()
        self.thread.join()
        return max(self.kilobytes, self.server.resident_kilobytes())
