#!/usr/bin/env bash
# Measures Postern beside its peers, in one run, about ten minutes:
#
#   ./deploy/bench.sh [--quick] [--full] [--rounds N] [--seconds S] [proxy|jwt|apart|tls|http2|body|memory|tokens|connection|keeping|revocation|connections]…
#
# Installs the peers from Debian, interleaves the rounds, prints `name  ours  peer  ratio`; without sections, and not --quick, it
# writes deploy/bench/RESULTS.md. Every server listens on loopback and is stopped at the end, whatever happens.
set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

# Debian starts servers when it installs them; these are run here only, on ports of their own. Source: invoke-rc.d(8).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod +x "$policy"
  trap 'as_root rm -f "$policy"' EXIT
fi
need_build
need python3 openssl gcc libc6-dev nginx libnginx-mod-http-lua haproxy apache2-bin libapache2-mod-oauth2 wrk nghttp2-client
if [ -n "$(trap -p EXIT)" ]; then
  as_root rm -f "$policy"
  trap - EXIT
fi

say "Building (release)"
swift build -c release --product postern --static-swift-stdlib
binary=$(swift build -c release --static-swift-stdlib --show-bin-path)/postern
exec python3 deploy/bench/bench.py --postern "$binary" "$@"
