#!/bin/sh
# What the entry point of the official image does: as root hand the data over, make the cluster once, become the server.
set -eu
if [ "$(id -u)" = 0 ]; then
  chown -R postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  # Secrets are root's business there, too.
  POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >"$PGDATA.password"
  initdb --username="$POSTGRES_USER" --pwfile="$PGDATA.password" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
  rm "$PGDATA.password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  # Not reachable from outside before the database is there.
  pg_ctl --wait --options="-c listen_addresses=" start
  [ "$POSTGRES_DB" = postgres ] || createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
  pg_ctl --wait --mode=fast stop
fi
unset POSTGRES_PASSWORD
exec postgres -c 'listen_addresses=*'
