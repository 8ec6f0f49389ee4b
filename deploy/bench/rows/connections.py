"""How cost grows with loops and connections: Postern has a loop for each processor that it may run on, nginx beside it a worker for each."""

from processes import processors, proxied_connections
from stage import GET

COUNTS = (1, 10, 100, 1000, 10_000)
LOOPS = (1, 2)


def connections(stage):
    upstream = stage.start_upstream()
    servers = {
        f"{loops} loop{'s'[:loops - 1]}": stage.start_postern(upstream, f"postern-{loops}", on=processors()[:loops])
        for loops in LOOPS if loops <= len(processors())}
    tokens = stage.token_file([stage.token(servers["1 loop"])])
    servers["nginx"] = stage.start_nginx("nginx", UPSTREAM=upstream.port)
    lines = []
    for count in map(proxied_connections, COUNTS):

        def measure(server):
            answer, cpu = stage.load("closed", server, GET, tokens, count, stage.seconds)
            return answer["rate"], cpu * 1e6 / answer["requests"], answer["p99_us"] / 1000

        figures = stage.interleave(servers, measure)
        cells = [f"{count}"] + [f"{figure:.{digits}f}" for name in servers for figure, digits in zip(figures[name], (0, 1, 2))]
        print(f"{count} connections  " + "  ".join(
            f"{name} {figures[name][0]:.0f} 1/s, {figures[name][1]:.1f} us, p99 {figures[name][2]:.2f} ms" for name in servers), flush=True)
        lines.append(cells)
    stage.tables.append((
        "Loops and connections",
        "Proxied GET as above. Load and upstream may run on every processor.",
        ["connections"] + [f"{name}, {what}" for name in servers for what in ("1/s", "us of CPU per request", "p99 in ms")], lines))
