#!/usr/bin/env bash
# From a fresh clone to a running Postern with the PrintMyPics and CloudVault demo: ./deploy/quickstart.sh
# Options are handed on to `postern dev` (see `postern dev --help`).
set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

need_build
need curl # for the commands that it prints
say "Building (the first build takes a few minutes)"
swift build -c release --product postern --static-swift-stdlib
exec "$(swift build -c release --static-swift-stdlib --show-bin-path)/postern" dev "$@"
