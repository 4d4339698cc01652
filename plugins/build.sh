#!/usr/bin/env bash
# Builds one of the plugins that stand here in every language: plugins/build.sh conformance | count-and-sum [LANGUAGE ...]
# What it makes lies in target/languages/PLUGIN/: LANGUAGE.wasm, or LANGUAGE-projection.wasm and LANGUAGE-upcaster.wasm.
# A language whose tools cannot be had is skipped aloud. Takes POLYFOLD, the program, as the examples do.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
export POLYFOLD_TOOLS=${POLYFOLD_TOOLS:-$target/tools}
if [ -z "${POLYFOLD:-}" ]; then
  cargo build --release --locked -p polyfold
  POLYFOLD=$target/release/polyfold
fi

plugin=${1:?which plugin: conformance or count-and-sum}
shift
if [ $# = 0 ]; then set -- rust c zig assemblyscript go javascript typescript python; fi
built=$target/languages/$plugin
mkdir -p "$built"

skipped=0
for language in "$@"; do
  for project in "plugins/$plugin/$language" "plugins/$plugin/$language"/*; do
    if [ ! -e "$project/polyfold.toml" ]; then continue; fi
    name=$language
    if [ "$project" != "plugins/$plugin/$language" ]; then name=$language-${project##*/}; fi
    rm -f "$built/$name.wasm"
    status=0
    said=$("$POLYFOLD" --json plugin build "$project") || status=$?
    case $status in
      0) cp "$(printf '%s' "$said" | python3 -c 'import json, sys; print(json.load(sys.stdin)["file"])')" "$built/$name.wasm" ;;
      7) echo "skipped: $name, because what it is built with cannot be had here" >&2; skipped=$((skipped + 1)) ;;
      *) exit "$status" ;;
    esac
  done
done
if [ "$skipped" -gt 0 ]; then echo "$plugin: $skipped skipped" >&2; fi
