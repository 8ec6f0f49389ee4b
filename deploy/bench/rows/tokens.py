"""Client-credentials tokens, opaque and durable, beside single-row inserts by pgbench on the same cluster."""

import pathlib
import re
import statistics


def tokens(stage):
    postern = stage.start_postern(stage.start_upstream())
    postgres = stage.postgres
    postgres.run(
        "psql", "-q", "-h", postgres.folder, "-U", "app", "-d", "bench", "-c",
        "create table item (id bigint generated always as identity primary key, hash bytea not null, "
        "subject text not null, expires_at timestamptz not null)")
    script = pathlib.Path(postgres.folder, "insert.sql")
    script.write_text("insert into item (hash, subject, expires_at) values "
                      "('\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'bench', now());\n")
    ours, theirs = [], []
    for _ in range(stage.rounds):
        rate, _ = stage.wrk(postern, "/oauth/token", script="token.lua")
        ours.append(rate)
        output = postgres.run(
            "pgbench", "-h", postgres.folder, "-U", "app", "-n", "-M", "prepared", "-c", "64", "-j", "2",
            "-T", str(stage.seconds), "-f", str(script), "bench")
        theirs.append(float(re.search(r"tps = ([\d.]+)", output).group(1)))
    stage.row("client-credentials tokens", statistics.median(ours), "pgbench inserts", statistics.median(theirs), "1/s", ">= 1.0")
