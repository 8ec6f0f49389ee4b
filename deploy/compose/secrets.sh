#!/usr/bin/env bash
# Makes the secrets of deploy/docker-compose.yml, once: files in deploy/compose/secrets, which git ignores.
# Alice's password is in alice_password.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets

random() { head -c "$1" /dev/urandom | base64 -w0 | tr '+/' '-_' | tr -d '='; }
# The containers' user is not the host's, so the files are readable; their folder is the fence.
make_secret() { [ -s "$1" ] || { printf '%s' "$2" >"$1.tmp" && mv "$1.tmp" "$1"; }; }

make_secret postgres_password "$(random 24)"
make_secret database_url "postgresql://postern:$(cat postgres_password)@postgres/postern"
make_secret postern_key "$(head -c 32 /dev/urandom | base64 -w0)"
make_secret printmypics_secret "$(random 32)"
make_secret report_secret "$(random 32)"
make_secret cloudvault_secret "$(random 32)"
make_secret alice_password "$(random 9)"
if [ ! -s alice_password_hash ]; then
  hash=$(python3 - alice_password <<'PYTHON'
import base64, hashlib, os, pathlib, sys
password = pathlib.Path(sys.argv[1]).read_bytes()
salt = os.urandom(16)
digest = hashlib.scrypt(password, salt=salt, n=1 << 14, r=8, p=1, dklen=32)
print("$scrypt$ln=14,r=8,p=1$" + "$".join(base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)))
PYTHON
  )
  make_secret alice_password_hash "$hash"
fi
chmod 644 ./*
echo "Secrets are in deploy/compose/secrets; sign in as alice with the password in alice_password."
