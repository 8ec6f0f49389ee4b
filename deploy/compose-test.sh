#!/usr/bin/env bash
# Brings docker-compose.yml up on a real container engine (Podman), uses it from outside, and takes it down.
# Needs no registry: the base images are made from the distribution's packages, and the binary is built here
# (POSTERN_BINARY names another one, built with --static-swift-stdlib). Images stay in .build/compose-test for the
# next run. Takes some minutes; port 8080 must be free.
set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

# What belongs to the user is made before root takes over.
if [ -z "${POSTERN_BINARY:-}" ]; then
  need_build
  say "Building (release)"
  swift build -c release --product postern --static-swift-stdlib
  POSTERN_BINARY=$(swift build -c release --static-swift-stdlib --show-bin-path)/postern
  export POSTERN_BINARY
fi
need curl python3
deploy/compose/secrets.sh
[ "$(id -u)" = 0 ] || exec sudo --preserve-env=POSTERN_BINARY bash "$0"

origin=http://127.0.0.1:8080
if curl -s -o /dev/null --max-time 5 "$origin"; then
  echo "Something listens at $origin already" >&2
  exit 1
fi
need podman buildah runc netavark aardvark-dns iptables catatonit mmdebstrap docker-compose

# Podman remembers its folders: they stay where they are, and are made anew when the project has moved.
work=$root/.build/compose-test
run=/run/postern-compose-$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
umount "$work/storage/overlay" 2>/dev/null || true # left by a run that was killed
[ "$(cat "$work/place" 2>/dev/null)" = "$root" ] || rm -rf "$work"
mkdir -p "$work"
printf '%s' "$root" >"$work/place"
rm -rf "$run"
mkdir -m 700 "$run"
engine=
health=

# Storage and networks of its own, so that nothing of the machine's is touched.
cat >"$run/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$run/storage"
CONF
cat >"$run/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
CONF
export CONTAINERS_STORAGE_CONF=$run/storage.conf CONTAINERS_CONF=$run/containers.conf
export DOCKER_HOST=unix://$run/podman.sock DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0

compose() { docker-compose --file "$root/deploy/docker-compose.yml" "$@"; }

finish() {
  local status=$?
  trap - EXIT
  if [ "$status" != 0 ] && [ -n "$engine" ]; then
    say "It failed; the last lines of the logs"
    compose ps || true
    compose logs --tail=30 || true
  fi
  [ -z "$engine" ] || compose down -v -t 1 >/dev/null 2>&1 || true
  [ -z "$health" ] || kill "$health" 2>/dev/null || true
  [ -z "$engine" ] || kill "$engine" 2>/dev/null || true
  wait
  umount "$work/storage/overlay" 2>/dev/null || true
  rm -rf "$run"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "FAIL  $*" >&2
  exit 1
}
pass() { echo "pass  $*"; }

# Tries a command until it succeeds. eventually SECONDS COMMAND…
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
}

status_of() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$@"; }

# -- images --------------------------------------------------------------------------------------------------------

suite=$(. /etc/os-release && echo "$VERSION_CODENAME") # the binary is linked with this system's libraries
base=localhost/postern-test-$suite
if ! podman image exists "$base"; then
  say "Making the base image"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$run/base.tar"
  podman import --quiet "$run/base.tar" "$base" >/dev/null
  rm "$run/base.tar"
fi

build() { podman build --quiet --pull=never --network=host --format=docker "$@" >/dev/null; }

say "Building the images"
build --build-arg "BASE=$base" --tag docker.io/library/postgres:15 \
  --file deploy/compose/test/postgres.Dockerfile deploy/compose/test

# The image that users run, but for the stage that compiles.
mkdir "$run/context"
install -s "$POSTERN_BINARY" "$run/context/postern"
sed -e '/ AS builder$/,/^$/d' -e 's|--from=builder /out/postern|postern|' deploy/Dockerfile >"$run/context/Dockerfile"
build --build-arg "RUNTIME_IMAGE=$base" --tag docker.io/library/postern:latest "$run/context"
podman image prune --force >/dev/null # what earlier runs built

# -- up ------------------------------------------------------------------------------------------------------------

say "Starting the services"
podman system service --time=0 "$DOCKER_HOST" >"$run/engine.log" 2>&1 &
engine=$!
eventually 10 test -S "$run/podman.sock" || fail "podman's service does not start: $(tail -n 3 "$run/engine.log")"

# Where systemd does not, somebody has to run the health checks.
run_health_checks() {
  local container
  while sleep 0.5; do
    for container in $(podman ps --quiet); do podman healthcheck run "$container" || true; done
  done
}
run_health_checks >/dev/null 2>&1 &
health=$!

compose config -q
compose down -v -t 1 >/dev/null 2>&1 || true
started=$SECONDS
compose up -d --no-build
container() { compose ps -q "$1"; }
is_healthy() { [ "$(podman inspect --format '{{.State.Healthcheck.Status}}' "$(container "$1")")" = healthy ]; }
for service in postgres cloudvault postern; do
  eventually 60 is_healthy "$service" || fail "$service is not healthy"
done
pass "healthy after $((SECONDS - started)) s"

# -- from outside --------------------------------------------------------------------------------------------------

token() {
  curl -s --max-time 10 -u "nightly-report:$(cat deploy/compose/secrets/report_secret)" -d grant_type=client_credentials \
    "$origin/oauth/token" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}
photos() { status_of -H "Authorization: Bearer $1" "$origin/photos"; }

first=$(token)
[ -n "$first" ] || fail "no token for nightly-report"
pass "a client-credentials token is issued"
[ "$(photos "$first")" = 200 ] || fail "GET /photos with a token: $(photos "$first")"
pass "a photo list comes through the gateway"
[ "$(status_of "$origin/photos")" = 401 ] || fail "GET /photos without a token is not 401"
pass "without a token it does not"
alice=$(python3 deploy/compose/test/sign_in.py "$origin" deploy/compose/secrets) || fail "alice cannot sign in"
[ "$(photos "$alice")" = 200 ] || fail "GET /photos with the token for alice: $(photos "$alice")"
pass "Alice signs in, allows PrintMyPics, and it gets her photos"

# -- inside --------------------------------------------------------------------------------------------------------

for service in postern cloudvault; do
  id=$(container "$service")
  [ "$(podman inspect --format '{{.HostConfig.ReadonlyRootfs}}' "$id")" = true ] || fail "$service can write its root"
  process=$(podman inspect --format '{{.State.Pid}}' "$id")
  [ "$(awk '/^Uid:/ { print $2 }' "/proc/$process/status")" = 10001 ] || fail "$service does not run as 10001"
  [ "$(awk '/^CapBnd:/ { print $2 }' "/proc/$process/status")" = 0000000000000000 ] || fail "$service has capabilities"
  [ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$process/status")" = 1 ] || fail "$service may gain privileges"
  for secret in deploy/compose/secrets/*; do
    ! tr '\0' '\n' <"/proc/$process/environ" | grep -qF -f "$secret" || fail "$secret is in the environment of $service"
    ! tr '\0' '\n' <"/proc/$process/cmdline" | grep -qF -f "$secret" || fail "$secret is in the arguments of $service"
  done
done
pass "read-only, without privileges, secrets as files only"
[ "$(status_of http://127.0.0.1:9090/healthz || true)" = 000 ] || fail "the admin address is published"
pass "the admin address stays inside"

# -- faults --------------------------------------------------------------------------------------------------------

compose restart -t 1 postgres >/dev/null 2>&1
works_again() { second=$(token) && [ -n "$second" ] && [ "$(photos "$second")" = 200 ]; }
eventually 30 works_again || fail "no token after PostgreSQL was restarted"
[ "$(photos "$first")" = 200 ] || fail "the first token was lost when PostgreSQL was restarted"
pass "PostgreSQL may restart: old and new tokens work"

podman kill "$(container postern)" >/dev/null
compose up -d --no-build >/dev/null 2>&1
eventually 30 works_again || fail "no token after Postern was killed"
[ "$(photos "$first")" = 200 ] || fail "the first token was lost when Postern was killed"
pass "Postern may be killed: old and new tokens work"

# -- down ----------------------------------------------------------------------------------------------------------

compose stop -t 10 postern >/dev/null 2>&1
[ "$(podman inspect --format '{{.State.ExitCode}}' "$(compose ps -q postern)")" = 0 ] || fail "postern does not stop by itself"
pass "SIGTERM ends it in order"
compose down -v -t 1 >/dev/null 2>&1
[ -z "$(podman ps --all --quiet)$(podman volume ls --quiet)" ] || fail "down -v leaves something behind"
pass "down -v leaves nothing behind"
say "The containers work"
