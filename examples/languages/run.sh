#!/usr/bin/env bash
# From nothing to a queried state, in every language: makes a new project, builds it, runs its unit tests, installs it,
# lets it see three orders, and asks for what it made. Prints each step and how long it took.
# usage: examples/languages/run.sh [LANGUAGE ...]     takes POLYFOLD, the program, as examples/flights/run.sh does
# A language whose tools cannot be had is skipped aloud and counted.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
# What is fetched lies here, and is fetched once.
export POLYFOLD_TOOLS=${POLYFOLD_TOOLS:-$target/tools}
if [ -z "${POLYFOLD:-}" ]; then
  echo "Building the program (the first build compiles wasmtime and takes some minutes) ..."
  cargo build --release --locked -p polyfold
  POLYFOLD=$target/release/polyfold
fi
if [ $# = 0 ]; then set -- rust c zig assemblyscript go javascript typescript python; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export POLYFOLD_DATA_DIR=$work/data

seconds() { python3 -c 'import time; print(f"{time.monotonic():.2f}")'; }
took() { python3 -c 'import sys; print(f"{float(sys.argv[2]) - float(sys.argv[1]):5.1f} s")' "$1" "$2"; }

# Says what it runs, runs it, and says how long it took.
step() {
  local name=$1 began ended status=0
  shift
  printf '  %-8s $ polyfold %s\n' "$name" "${*//$work\//}"
  began=$(seconds)
  "$POLYFOLD" --quiet "$@" >"$work/said" 2>"$work/remarks" || status=$?
  ended=$(seconds)
  if [ "$status" = 0 ]; then
    sed 's/^/             /' "$work/said"
    printf '           %s\n' "$(took "$began" "$ended")"
  fi
  return "$status"
}

failed=()
skipped=()
passed=()
# One language: 0 when it came to its state, 7 when its tools cannot be had.
try() {
  local language=$1 name="revenue-$1" project="$work/revenue-$1"
  step new plugin new "$name" --language "$language" --dir "$project" || return
  step build plugin build "$project" || return
  step test plugin test "$project" || return
  step install plugin install "$("$POLYFOLD" --json plugin build "$project" 2>/dev/null | file_of)" || return
  step create projection create "$name" || return
  step get projection get "$name" country/FR || return
  local state
  state=$("$POLYFOLD" --json projection get "$name" country/FR) || return
  case $state in
    *'"orders":2'*'"euros":19.5'* | *'"euros":19.5'*'"orders":2'*) ;;
    *) echo "  country/FR should hold 2 orders of 19.5 euros" >&2; return 1 ;;
  esac
}
file_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)["file"])'; }

echo "Three orders go into the log."
n=0
for order in '{"country":"FR","euros":10}' '{"country":"DE","euros":7}' '{"country":"FR","euros":9.5}'; do
  n=$((n + 1))
  "$POLYFOLD" append "order/$n" order.placed "$order" --id "order-$n"
done
for language in "$@"; do
  printf '\n%s\n' "$language"
  began=$(seconds)
  status=0
  try "$language" || status=$?
  ended=$(seconds)
  case $status in
    0) passed+=("$language"); printf '  all        %s\n' "$(took "$began" "$ended")" ;;
    7) skipped+=("$language"); printf '  skipped: %s\n' "$(cat "$work/remarks")" ;;
    *) failed+=("$language"); printf '  FAILED with exit code %s\n' "$status"; cat "$work/said" "$work/remarks" ;;
  esac
done

printf '\n%s languages came from a new project to a queried state: %s\n' "${#passed[@]}" "${passed[*]-}"
if [ ${#skipped[@]} -gt 0 ]; then printf 'skipped, because their tools cannot be had here: %s\n' "${skipped[*]}"; fi
if [ ${#failed[@]} -gt 0 ]; then printf 'failed: %s\n' "${failed[*]}" >&2; exit 1; fi
if [ ${#passed[@]} = 0 ]; then echo "no language was tried" >&2; exit 1; fi
