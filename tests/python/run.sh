#!/usr/bin/env bash
# Tries a running host from outside with clients that others wrote: schemathesis against the OpenAPI document, and the
# CloudEvents SDK; and the digest of a state against a second implementation of it. Needs Python 3.10 with venv, and
# packages from PyPI; where they cannot be had, it says so and passes.
# Takes POLYFOLD and POLYFOLD_PLUGINS as examples/flights/run.sh does, and SEED.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*" >&2; exit 0; }
fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

POLYFOLD_TESTS=$PWD/tests/python
export POLYFOLD_TESTS
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/python

command -v python3 >/dev/null || skip "there is no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
# Made anew when the versions change.
if ! cmp -s "$POLYFOLD_TESTS/requirements.txt" "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv" || skip "python3 cannot make a virtual environment"
  "$venv/bin/pip" install --quiet --requirement "$POLYFOLD_TESTS/requirements.txt" || skip "pip cannot install what is needed"
  cp "$POLYFOLD_TESTS/requirements.txt" "$venv/"
fi

if [ -z "${POLYFOLD:-}" ]; then
  cargo build --locked -p polyfold
  POLYFOLD=$target/debug/polyfold
fi
if [ -z "${POLYFOLD_PLUGINS:-}" ]; then
  cargo build --locked --profile plugin --target wasm32-wasip2 -p flights-v2 -p on-time -p event-counts
  POLYFOLD_PLUGINS=$target/wasm32-wasip2/plugin
fi

files=$(mktemp -d)
export POLYFOLD_DATA_DIR=$files/data
host=
stop() {
  if [ -n "$host" ]; then kill -KILL "$host" 2>/dev/null || true; fi
  rm -rf "$files"
}
trap stop EXIT

say "Starting a host ..."
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
"$POLYFOLD" serve --listen "127.0.0.1:$port" >"$files/host.log" 2>&1 &
host=$!
python3 "$POLYFOLD_TESTS/wait_ready.py" "$url" "$host" || { cat "$files/host.log" >&2; fail "the host does not start"; }

# To sed, not head: head would leave before gzip has written all.
gzip -dc examples/flights/flights-2013-01.ndjson.gz | sed -n '1,3000p' >"$files/flights.ndjson"
"$POLYFOLD" --quiet import "$files/flights.ndjson"
for plugin in flights_v2 on_time event_counts; do "$POLYFOLD" --quiet plugin install "$POLYFOLD_PLUGINS/$plugin.wasm"; done
for projection in on-time event-counts; do "$POLYFOLD" --quiet projection create "$projection"; done
# For requests that promote, roll back and delete.
"$POLYFOLD" --quiet projection create spare --plugin event-counts

failed=
say "The digest of a state, by a program that has only its description"
"$venv/bin/python" "$POLYFOLD_TESTS/state_tree.py" || failed="$failed, the digest of a state"

say "CloudEvents SDK"
"$venv/bin/python" "$POLYFOLD_TESTS/cloudevents_client.py" "$url" || failed="$failed, the CloudEvents client"

say "schemathesis"
(cd "$files" && "$venv/bin/schemathesis" --config-file "$POLYFOLD_TESTS/schemathesis.toml" run "$url/openapi.json" \
  --seed "${SEED:-1}") || failed="$failed, schemathesis"

say "The host afterwards"
if ! kill -0 "$host" 2>/dev/null; then
  cat "$files/host.log" >&2
  fail "the host is gone"
fi
"$POLYFOLD" log verify || failed="$failed, the log"
kill -TERM "$host"
status=0
wait "$host" || status=$?
host=
if [ "$status" != 0 ]; then
  cat "$files/host.log" >&2
  failed="$failed, the host's end (exit code $status)"
fi
if grep -n panicked "$files/host.log" >&2; then failed="$failed, a panic in the host"; fi

if [ -n "$failed" ]; then fail "${failed#, }"; fi
say "All clients are content."
