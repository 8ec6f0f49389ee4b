#!/usr/bin/env bash
# Drives the pages with Chromium against `postern dev` on free ports in a temporary folder, and removes everything.
# Needs a built binary (POSTERN_BINARY), Python with the packages that test.sh installs (POSTERN_PYTHON), and chromium.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
binary=${POSTERN_BINARY:-$root/.build/debug/postern}
python=${POSTERN_PYTHON:-$root/.build/venv/bin/python}

# PostgreSQL's account passes through the folder, when root runs this.
work=$(mktemp -d "${TMPDIR:-/tmp}/postern-browser-XXXXXX")
chmod 755 "$work"
home=$work/home
server=
browser=

alive() { kill -0 "$1" 2>/dev/null; }

# Postern ends in order and stops its PostgreSQL, which is a test, too; what does not go by itself is killed.
stop_everything() {
  local status=$? ended=0 tick postmaster
  trap - EXIT INT TERM
  if [ -n "$browser" ] && kill -TERM "$browser" 2>/dev/null; then wait "$browser" || true; fi
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    for ((tick = 0; tick < 300; tick++)); do
      alive "$server" || break
      sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || ended=$?
    if postmaster=$(head -n 1 "$home/postgres/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$postmaster"; then ended=1; fi
    if [ "$status" = 0 ] && [ "$ended" != 0 ]; then
      echo "FAIL  SIGTERM ends postern dev within 30 s, in order, with its PostgreSQL (exit status $ended)"
      status=1
    fi
  fi
  if [ "$status" != 0 ]; then
    echo "The server's log:" >&2
    tail -n 40 "$work/log" >&2 || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap stop_everything EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

read -r port vault admin < <(python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in sockets))
PYTHON
)

"$binary" dev --directory "$home" --port "$port" --cloudvault-port "$vault" --admin-port "$admin" >"$work/log" 2>&1 &
server=$!
for ((tick = 0; ; tick++)); do
  "$binary" health --url "http://127.0.0.1:$admin/readyz" 2>/dev/null && break
  alive "$server" || { echo "postern dev ended before it was ready" >&2; exit 1; }
  ((tick < 300)) || { echo "postern dev was not ready within 60 s" >&2; exit 1; }
  sleep 0.2
done

# In the background, so that a signal is acted on at once.
"$python" "$root/Tests/BrowserTests/browser_test.py" "http://127.0.0.1:$port" \
  --shop "http://127.0.0.1:$vault" --password-file "$home/secrets/alice-password" "$@" &
browser=$!
wait "$browser"
