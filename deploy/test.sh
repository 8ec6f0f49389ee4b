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
need python3 python3-venv shellcheck

say "Checking the scripts"
find deploy .ci -type f \( -name '*.sh' -o -name run \) -print0 | xargs -0 shellcheck -x

say "Building"
mkdir -p .build
swift build --build-tests >.build/build.log 2>&1 || { grep -E 'error|warning' .build/build.log || tail -n 50 .build/build.log; exit 1; }
bin=$(swift build --show-bin-path)
export POSTERN_BINARY=$bin/postern
[ -x "$POSTERN_BINARY" ]

say "Preparing Python for interoperability and browser tests"
venv=$root/.build/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check joserfc playwright axe-playwright-python
export POSTERN_PYTHON=$venv/bin/python

say "Running the Swift tests"
swift test --skip-build ${filter:+--filter "$filter"}
[ -z "$filter" ] || exit 0

if [ $browser = yes ]; then
  need chromium
  say "Running the browser test"
  bash deploy/browser-test.sh
fi
say "All tests passed"
