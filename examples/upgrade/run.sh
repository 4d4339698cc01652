#!/usr/bin/env bash
# Edits a plugin and takes the new version into a running host, compares it, promotes it and rolls it back, while events
# go on being appended and the projection goes on being read; then kills the host in the middle of it and starts it again.
# Builds what it needs, works in a directory of its own and checks everything. To try it with a program and plugins built
# elsewhere, name them:
#   POLYFOLD=path/to/polyfold POLYFOLD_PLUGINS=directory/of/wasm/files examples/upgrade/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s\n' "$*"; }
run() {
  printf '  $ polyfold %s\n' "$*"
  "$POLYFOLD" "$@"
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

work=$(mktemp -d)
export POLYFOLD POLYFOLD_DATA_DIR=$work/data
host= appends= reads=
clean_up() {
  for process in $appends $reads $host; do kill -KILL "$process" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT

start_host() {
  "$POLYFOLD" serve >>"$work/host.log" 2>&1 &
  host=$!
  if ! python3 examples/upgrade/check.py answers "$POLYFOLD_DATA_DIR/socket" "$host"; then
    cat "$work/host.log" >&2
    exit 1
  fi
}
# Every event is an arrival of an airline of our own, 20 minutes late: late for one version, not for the other. An append
# that is not acknowledged is tried again under its id, as a producer would.
append_in_a_loop() {
  late='{"carrier":"ZZ","flight":1,"origin":"EWR","dest":"SFO","sched_arr_time":1200,"arr_time":1220,"arr_delay":20,
    "air_time":340,"distance":2565}'
  number=0
  while [ ! -e "$work/enough" ]; do
    number=$((number + 1))
    until "$POLYFOLD" --json --quiet append --no-wait "flight/2013-02-01-ZZ$number-EWR" flight.arrived "$late" \
      --id "loop:$number" >"$work/answer" 2>>"$work/refused"; do sleep 0.1; done
    cat "$work/answer" >>"$work/acknowledged"
  done
}
# Beside each answer, how many events were acknowledged before it was asked for: an answer must have seen them.
read_in_a_loop() {
  while [ ! -e "$work/enough" ]; do
    before=$(wc -l <"$work/acknowledged")
    if "$POLYFOLD" --json --quiet projection get on-time carrier/ZZ >"$work/read" 2>>"$work/unread"; then
      printf '%s %s\n' "$before" "$(cat "$work/read")" >>"$work/reads"
    fi
  done
}
# Waits until so many more events are acknowledged.
until_appended() {
  goal=$(($(wc -l <"$work/acknowledged") + $1))
  while [ "$(wc -l <"$work/acknowledged")" -lt "$goal" ]; do
    kill -0 "$appends"
    sleep 0.05
  done
}

began=$SECONDS
say "1. Start a host, and give it a month of flights and a projection."
printf '  $ polyfold serve &\n'
start_host
run --quiet import examples/flights/flights-2013-01.ndjson.gz
run plugin install "$POLYFOLD_PLUGINS/flights_v2.wasm"
run plugin install "$POLYFOLD_PLUGINS/on_time.wasm"
run projection create on-time

say "2. Append and read in a loop, from now on."
printf '  $ while true; do polyfold append flight/2013-02-01-ZZ$((++n))-EWR flight.arrived "$late" --id "loop:$n"; done &\n'
printf '  $ while true; do polyfold projection get on-time carrier/ZZ; done &\n'
touch "$work/acknowledged" "$work/reads"
append_in_a_loop &
appends=$!
until_appended 5
read_in_a_loop &
reads=$!

say "3. Edit the plugin: a flight is late after 30 minutes, not after 15. Build it, and install it into the running host."
edited=${POLYFOLD_EDITED:-$(examples/upgrade/edit.sh "$work/edited")}
run plugin install "$edited"

say "4. Upgrade: the new state is built beside the old one, which goes on serving and following."
run projection upgrade on-time --plugin on-time@0.2.0
run projection get on-time carrier/EV

say "5. Compare: nothing but the number of late flights may differ."
run projection compare on-time --limit 3
until_appended 20

say "6. Promote: the new state serves."
run projection promote on-time
run projection get on-time carrier/EV
"$POLYFOLD" --json projection scan on-time --view carriers >"$work/promoted"
until_appended 20

say "7. Roll back: the state before serves again, and has followed all the while."
run projection rollback on-time
run projection get on-time carrier/EV
"$POLYFOLD" --json projection scan on-time --view carriers >"$work/rolled-back"
until_appended 20

say "8. Kill the host in the middle of it, and start it again."
printf '  $ kill -9 %s\n' "$host"
kill -KILL "$host"
wait "$host" 2>/dev/null || true
start_host
until_appended 20
touch "$work/enough"
wait "$appends" "$reads"
appends= reads=

say "9. Check: the log, the projection against a rebuild, and every event that was acknowledged."
run log verify
run projection verify on-time
"$POLYFOLD" --quiet export --output "$work/events"
"$POLYFOLD" --json projection scan on-time --view carriers >"$work/last"
python3 examples/upgrade/check.py figures examples/flights/flights-2013-01.ndjson.gz "$work"

kill -TERM "$host"
wait "$host"
host=
say "Done in $((SECONDS - began)) seconds."
