#!/usr/bin/env bash
# Measures Postern beside its peers, in one run: ./deploy/bench.sh [memory|proxy|tokens|revocation]…   (all without arguments)
# Installs the peers from Debian, interleaves the rounds, prints `name  ours  peer  ratio`, writes deploy/bench/RESULTS.md.
# Every server listens on loopback and is stopped at the end.
set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

need_build
need python3 nginx libnginx-mod-http-lua wrk

say "Building (release)"
swift build -c release --product postern --static-swift-stdlib
binary=$(swift build -c release --static-swift-stdlib --show-bin-path)/postern
exec python3 deploy/bench/bench.py --postern "$binary" "$@"
