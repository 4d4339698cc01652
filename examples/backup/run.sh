#!/usr/bin/env bash
# A host that takes appends is backed up again and again, a run is killed and finished, the data directory is lost, and it comes back
# to its end and to a time; then one bit of the backup is flipped. Builds what it needs and works in a directory of its own. To
# try it with a program and plugins built elsewhere, name them:
#   POLYFOLD=path/to/polyfold POLYFOLD_PLUGINS=directory/of/wasm/files examples/backup/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s\n' "$*"; }
run() {
  printf '  $ polyfold %s\n' "$*"
  "$POLYFOLD" "$@"
}
field() { "$POLYFOLD" --json "${@:2}" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
same() {
  if [ "$2" != "$3" ]; then
    printf 'failed: %s is %s, not %s\n' "$1" "$3" "$2" >&2
    exit 1
  fi
  printf '  %s: %s\n' "$1" "$2"
}

if [ -z "${POLYFOLD:-}" ]; then
  say "Building the program (the first build compiles wasmtime and takes some minutes) ..."
  cargo build --release --locked -p polyfold
  POLYFOLD=${CARGO_TARGET_DIR:-$PWD/target}/release/polyfold
fi
if [ -z "${POLYFOLD_PLUGINS:-}" ]; then
  say "Building the plugins as WebAssembly components ..."
  if ! rustup target list --installed | grep -qx wasm32-wasip2; then rustup target add wasm32-wasip2; fi
  cargo build --locked --profile plugin --target wasm32-wasip2 -p flights-v2 -p on-time
  POLYFOLD_PLUGINS=${CARGO_TARGET_DIR:-$PWD/target}/wasm32-wasip2/plugin
fi

events=$PWD/examples/flights/flights-2013-01.ndjson.gz
POLYFOLD=$(realpath "$POLYFOLD") POLYFOLD_PLUGINS=$(realpath "$POLYFOLD_PLUGINS")
work=$(mktemp -d)
host=""
load=""
trap 'kill $host $load 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export POLYFOLD_DATA_DIR=$work/data

say "1. A host with a month of flights, a projection, and somebody who goes on appending."
run --quiet import --no-wait "$events"
run plugin install "$POLYFOLD_PLUGINS/flights_v2.wasm"
run plugin install "$POLYFOLD_PLUGINS/on_time.wasm"
run projection create on-time
"$POLYFOLD" serve >serve.log 2>&1 &
host=$!
until [ -S data/socket ]; do read -rt 0.1 <> <(:) || true; done
(while "$POLYFOLD" --quiet append order/1 order.placed '{"euros":1}' >/dev/null; do :; done) &
load=$!

say "2. Backups into a directory, while appends go on. The first has all, the others what is new."
run backup safe
run backup safe
noon=$(python3 -c 'import datetime; print(datetime.datetime.now(datetime.timezone.utc).isoformat())')

say "3. A run is killed, and finished by the next."
"$POLYFOLD" backup safe >/dev/null 2>&1 & killed=$!
kill -9 $killed 2>/dev/null || true
wait $killed 2>/dev/null || true
run backup safe --states
kill $load && wait $load 2>/dev/null || true
load=""
run projection receipt on-time --output receipt.json
run backup safe --states --keep-last 3
run backup list safe
run backup verify safe

say "4. The directory is lost, and comes back: the same log, the same key, and the receipt holds."
head=$(field chain_head log status)
key=$("$POLYFOLD" receipt key)
kill $host && wait $host || true
host=""
rm -rf data
run restore safe
same 'chain head' "$head" "$(field chain_head log verify)"
same 'host key' "$key" "$("$POLYFOLD" receipt key)"
run receipt check receipt.json --key "$key"

say "5. Another directory, as it was at a time."
run --data-dir then restore safe --to-time "$noon"
run --data-dir then log verify

say "6. One bit of the backup is flipped: verify names the file, and restore refuses it."
python3 - <<'PYTHON'
import pathlib
segment = max(pathlib.Path("safe/blocks").iterdir(), key=lambda it: it.stat().st_size)
content = bytearray(segment.read_bytes())
content[len(content) // 2] ^= 1
segment.write_bytes(content)
PYTHON
for command in "backup verify safe" "--data-dir never restore safe"; do
  printf '  $ polyfold %s\n' "$command"
  status=0
  # shellcheck disable=SC2086
  "$POLYFOLD" $command 2>said || status=$?
  cat said
  same 'exit code' 5 "$status"
done
[ ! -e never ]

say "Everything came back, and what was changed was refused by its name."
