#!/usr/bin/env bash
# A receipt made on one data directory, checked on another that has only a copy of the log and the plugins; then one byte of
# the state, of the log and of a plugin is changed, and each is found. Builds what it needs and works in a directory of its
# own. To try it with a program and plugins built elsewhere, name them:
#   POLYFOLD=path/to/polyfold POLYFOLD_PLUGINS=directory/of/wasm/files examples/receipts/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s\n' "$*"; }
run() {
  printf '  $ polyfold %s\n' "$*"
  "$POLYFOLD" "$@"
}
# Runs what must be refused, and for that reason.
refused() {
  reason=$1
  shift
  printf '  $ polyfold %s\n' "$*"
  status=0
  "$POLYFOLD" "$@" >"$work/said" 2>&1 || status=$?
  grep '^error: ' "$work/said" || cat "$work/said"
  if [ "$status" != 5 ] || ! grep -q "^error: .*$reason" "$work/said"; then
    printf 'failed: exit code %s, and no word of "%s"\n' "$status" "$reason" >&2
    exit 1
  fi
}

changes=$PWD/examples/receipts/change.py
change() { python3 "$changes" "$@"; }

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

# It goes on in another directory.
POLYFOLD=$(realpath "$POLYFOLD") POLYFOLD_PLUGINS=$(realpath "$POLYFOLD_PLUGINS")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=$work/host copy=$work/copy

say "1. The host: a month of flights, and a projection over them."
export POLYFOLD_DATA_DIR=$host
run --quiet import examples/flights/flights-2013-01.ndjson.gz
run plugin install "$POLYFOLD_PLUGINS/flights_v2.wasm"
run plugin install "$POLYFOLD_PLUGINS/on_time.wasm"
run projection create on-time

say "2. It signs a receipt of the state, a proof of one entry, and a proof of one event, and says which key is its own."
run projection receipt on-time --output "$work/receipt.json"
run projection prove on-time carrier/UA --output "$work/entry.json"
run log prove 53487 --output "$work/event.json"
key=$("$POLYFOLD" receipt key)
printf '  $ polyfold receipt key\n%s\n' "$key"

say "3. Somebody who has nothing checks the proofs."
unset POLYFOLD_DATA_DIR
cd "$work"
run receipt check entry.json --key "$key"
run receipt check event.json --key "$key"

say "4. Somebody who has a copy of the log and of the plugins makes the state again, and compares."
mkdir "$copy"
cp -r "$host/log.redb" "$host/plugins" "$copy"
printf '  $ ls copy\n'
ls "$copy"
run --data-dir "$copy" receipt check receipt.json --key "$key"

say "5. One byte of the state: in the entry that is proved, and in the receipt."
change entry entry.json other-entry.json
refused 'its value is not the one that the state digest stands for' receipt check other-entry.json
change state-digest receipt.json other-receipt.json
refused 'the signature does not hold' receipt check other-receipt.json
printf '  And in the file of the state itself, which the host then finds:\n'
cp -r "$host" broken
change state-file entry.json broken/projections/on-time
refused 'carrier/UA' --data-dir broken projection prove on-time carrier/UA

say "6. One byte of an event."
cp "$copy/log.redb" log.redb
change log event.json "$copy/log.redb"
refused 'block [0-9]* is damaged' --data-dir "$copy" receipt check receipt.json --key "$key"
cp log.redb "$copy/log.redb"

say "7. One byte of a plugin, in the store and in a file."
plugin=$(change plugin receipt.json "$copy/plugins" other.wasm)
refused "plugin $plugin: .* holds other bytes than its name says" --data-dir "$copy" receipt check receipt.json
rm "$copy/plugins/$plugin.wasm"
refused "the receipt names plugin $plugin" --data-dir "$copy" receipt check receipt.json --plugin other.wasm
run --data-dir "$copy" receipt check receipt.json --key "$key" --plugin "$POLYFOLD_PLUGINS/on_time.wasm"

say "Everything that was changed was refused, and by its name."
