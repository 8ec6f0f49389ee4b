#!/usr/bin/env bash
# Sourced by the other scripts: installs what a fresh Debian or Ubuntu machine lacks, as root or with sudo.
# Defines `need PACKAGE…`, `need_build`, `as_root COMMAND…`, `say TEXT…` and $root, the project's folder.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export root

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    echo "This needs root, or sudo: $*" >&2
    return 1
  fi
}

# Installs those of the named Debian packages that are not there yet.
need() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Installing ${missing[*]}"
  # A system cluster is not wanted: Postern starts a private one.
  if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  # A new machine may be busy with upgrades of its own; nobody is there to answer questions.
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold)
  as_root "${apt[@]}" update
  as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null </dev/null
}

need_swift() {
  command -v swift >/dev/null && return 0
  # Many installations add Swift to the PATH of login shells only.
  PATH=$(bash -lc 'printf %s "$PATH"' </dev/null)
  command -v swift >/dev/null && return 0
  echo "Swift 6.2 or newer is needed: see https://www.swift.org/install/linux/" >&2
  return 1
}

# What building and running Postern takes: the C libraries with their headers, and PostgreSQL's programs.
need_build() {
  need_swift
  need git pkg-config libpq-dev libcurl4-openssl-dev libssl-dev libnghttp2-dev postgresql
}
