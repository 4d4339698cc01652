#!/usr/bin/env bash
# Replays the golden traces against the conformance plugins of every language, and prints the table: all digests are equal.
# usage: plugins/conformance/run.sh [LANGUAGE ...]     builds what is missing first, by plugins/build.sh
# Takes POLYFOLD, the program, and CUTS, in how many places the events are cut in two [default: all]. A language whose tools cannot be had is skipped aloud and counted.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
if [ -z "${POLYFOLD:-}" ]; then
  cargo build --release --locked -p polyfold
  POLYFOLD=$target/release/polyfold
fi
export POLYFOLD
if [ $# = 0 ]; then set -- rust c zig assemblyscript go javascript typescript python; fi
plugins/build.sh conformance "$@"

built=$target/languages/conformance
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
failed=()
cuts=(${CUTS:+--cuts "$CUTS"})
for kind in projection upcaster; do
  for language in "$@"; do
    plugin=$built/$language-$kind.wasm
    if [ ! -e "$plugin" ]; then continue; fi
    echo "$language, $kind ..." >&2
    if ! "$POLYFOLD" --json plugin test "${cuts[@]}" --plugin "$plugin" "plugins/conformance/$kind.trace" >"$reports/$kind-$language.json"; then
      failed+=("$language-$kind")
      "$POLYFOLD" plugin test "${cuts[@]}" --plugin "$plugin" "plugins/conformance/$kind.trace" || true
    fi
  done
done
python3 plugins/conformance/table.py "$reports" "$built"
if [ ${#failed[@]} -gt 0 ]; then printf 'failed: %s\n' "${failed[*]}" >&2; exit 1; fi
