#!/usr/bin/env bash
# A month of real flights, from raw events to answers. Builds what it needs, works in a directory of its own and says
# what it does. To try it with a program and plugins built elsewhere, name them:
#   POLYFOLD=path/to/polyfold POLYFOLD_PLUGINS=directory/of/wasm/files examples/flights/run.sh
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
  POLYFOLD=$PWD/target/release/polyfold
fi
if [ -z "${POLYFOLD_PLUGINS:-}" ]; then
  say "Building the plugins as WebAssembly components ..."
  if ! rustup target list --installed | grep -qx wasm32-wasip2; then rustup target add wasm32-wasip2; fi
  cargo build --locked --profile plugin --target wasm32-wasip2 \
    -p flights-v2 -p on-time -p aircraft -p event-counts
  POLYFOLD_PLUGINS=$PWD/target/wasm32-wasip2/plugin
fi

POLYFOLD_DATA_DIR=$(mktemp -d)
export POLYFOLD_DATA_DIR
trap 'rm -rf "$POLYFOLD_DATA_DIR"' EXIT

say "1. Import the events: every flight that left New York City in January 2013, clock times as HHMM integers."
run import examples/flights/flights-2013-01.ndjson.gz
say "   Importing them again changes nothing, because every event has an id:"
run import examples/flights/flights-2013-01.ndjson.gz

say "2. Look at the first two events, as they were stored."
run read --limit 2 --quiet

say "3. Install the plugins: an upcaster and three projections."
for plugin in flights_v2 on_time aircraft event_counts; do
  run plugin install "$POLYFOLD_PLUGINS/$plugin.wasm"
done
say "   The upcaster is in force at once. The log still holds what it held; readers can ask for the newer shape:"
run read --limit 1 --upcast --quiet

say "4. Create the projections. Each one replays the log through its plugin."
for projection in on-time aircraft event-counts; do
  run projection create "$projection"
done

say "5. Ask them."
run projection get on-time carrier/UA
run projection scan on-time --view days --limit 3 --quiet
run projection get aircraft aircraft/N14228
run projection scan event-counts --view types

say "6. Append an event: a flight that arrived 20 minutes late. The answer comes when every projection has seen it."
late='{"carrier":"UA","flight":1,"origin":"EWR","dest":"SFO","tailnum":"N14228","sched_arr_time":1200,
  "arr_time":1220,"arr_delay":20,"air_time":340,"distance":2565}'
run append flight/2013-02-01-UA1-EWR flight.arrived "$late" --id example:1
run projection get aircraft aircraft/N14228

say "7. Check: the log against its digests, and a projection against a rebuild with other batch sizes."
run log verify
run projection verify on-time

say "In January 2013, counted by the projections (without the flight of step 6):"
"$POLYFOLD" projection scan event-counts --view types --json >"$POLYFOLD_DATA_DIR/types"
"$POLYFOLD" projection scan on-time --view carriers --json >"$POLYFOLD_DATA_DIR/carriers"
python3 examples/flights/summary.py "$POLYFOLD_DATA_DIR/types" "$POLYFOLD_DATA_DIR/carriers"
