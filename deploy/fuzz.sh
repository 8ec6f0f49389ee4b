#!/usr/bin/env bash
# Fuzzes what reads bytes of strangers, with libFuzzer and AddressSanitizer:  ./deploy/fuzz.sh [seconds]
#
# Scanners and chunk reader are compared with plain readers; paths, forms, handles, heads of HTTP/2, JSON, keys, tokens and
# certificates with what must hold of them. What it finds is left in .build-fuzz/ as crash-…; run .build-fuzz/fuzz FILE to see it again. The corpus stays for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-120}
out=.build-fuzz
mkdir -p "$out/corpus"

# Each module by itself: only what is fuzzed is instrumented.
flags=(-Onone -swift-version 6 -enable-testing -parse-as-library -enable-upcoming-feature ExistentialAny
  "-sanitize=fuzzer,address" -I "$out")
for library in CLinux CNGHTTP2 COpenSSL; do flags+=(-Xcc "-fmodule-map-file=$PWD/Sources/$library/module.modulemap" -I "Sources/$library"); done
objects=()
compile() {
  local module=$1
  shift
  swiftc "${flags[@]}" -wmo -emit-module -emit-module-path "$out/$module.swiftmodule" -module-name "$module" \
    -emit-object "$@" -o "$out/$module.o"
  objects+=("$out/$module.o")
}
sources() { find "$1" -name '*.swift' -print; }
for module in JSON NetworkAddress Cryptography OAuthCore Broker HTTPWire ReverseProxy; do
  mapfile -t files < <(sources "Sources/$module")
  compile "$module" "${files[@]}"
done
mapfile -t files < <(sources Tests/Fuzz; sources Tests/HTTPWireTests/Reference)
compile HTTPWireTests "${files[@]}" Tests/HTTPWireTests/Scanning.swift
swiftc -sanitize=fuzzer,address "${objects[@]}" -lcrypto -lnghttp2 -o "$out/fuzz"

# Seeds: what the tables of the tests send, one file per request.
python3 - "$out/corpus" <<'SEEDS'
import pathlib, sys
out = pathlib.Path(sys.argv[1])
seeds = {
    0: [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST http://a/x?y HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"],
    1: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.0 204\r\nConnection: x\r\nX: y\r\n\r\n"],
    2: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    3: [b"5;a=b;c=\"d\"\r\nhello\r\n0\r\nA: b\r\n\r\n"],
    4: [b"/a;v=1/%2e%2e%2fb/%252e?q", b"/a/b%2Fc"],
    5: [b"a=b&c=%C3%A9+d&e"],
    6: [b"\x10pat_AAAA"],
    7: [b"\x00:method:GET\n:scheme:https\n:authority:a\n:path:/\naccept:*/*\ncookie:a=b\n", b"\x01:method:POST\n:scheme:http\n:path:/a?b\nhost:a\ncontent-length:5\n",
        b"\x01:method:CONNECT\n:protocol:websocket\n:scheme:http\n:authority:a\n:path:/\nsec-websocket-version:13\n"],
    8: [b"\x00:status:200\ncontent-length:2\n", b"\x01:status:200\nsec-websocket-accept:x\n", b"\x02:status:103\nlink:x\n"],
    9: [b'{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}',
        b'[1,-2.5e3,true,null,"\\u00e9\\n",{"a":{}}]', b"eyJhbGciOiJFUzI1NiJ9.e30.AA", b"\x30\x03\x02\x01\x00"],
}
for kind, texts in seeds.items():
    for number, text in enumerate(texts):
        for step in (0, 1, 7):
            (out / f"seed-{kind}-{number}-{step}").write_bytes(bytes([kind, step]) + text)
SEEDS
export ASAN_OPTIONS=detect_leaks=0 SWIFT_BACKTRACE=enable=no
exec "$out/fuzz" -max_total_time="$seconds" -max_len=700 -timeout=10 -dict=Tests/Fuzz/dictionary.txt \
  -artifact_prefix="$out/" -print_final_stats=1 "$out/corpus"
