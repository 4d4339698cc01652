#!/usr/bin/env bash
# Fuzzes each target for so many seconds, 60 unless told, all targets unless some are named: run.sh [SECONDS] [TARGET…]
# What it learns stays in target/fuzz, from where the next run goes on. A finding ends it, and it says how to repeat it.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in tests/fuzz/programs/*.rs; do targets+=("$(basename "$program" .rs)"); done
fi

if ! command -v c++ >/dev/null; then
  echo "fuzzing is skipped: libFuzzer needs a C++ compiler, and there is no c++"
  exit 0
fi

# Plugins to fuzz with, where the tests have theirs.
guests=(cargo build --locked --quiet --profile plugin --target wasm32-wasip2 --target-dir target/guests)
"${guests[@]}" --package event-counts
"${guests[@]}" --package polyfold-test-guests --examples

# The example is there for cargo: with it, features are those of the tests, and nothing that these have built is built
# again.
CARGO_INCREMENTAL=0 RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/rustc.sh \
  cargo build --workspace --locked --quiet --example traps "${targets[@]/#/--bin=}"

# Data directories that live for a moment belong into memory, where there is such a place.
TMPDIR=$(mktemp -d -p "$(if [ -d /dev/shm ]; then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi)")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# A process each, so that one that hangs or takes all memory is a finding and not the end of this machine.
for target in "${targets[@]}"; do
  learnt=target/fuzz/corpus/$target found=target/fuzz/findings/$target log=target/fuzz/$target.log
  mkdir -p "$learnt" "$found"
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -use_value_profile=1 -print_final_stats=1)
  if [ -e "tests/fuzz/$target.dict" ]; then options+=(-dict="tests/fuzz/$target.dict"); fi
  if ! "target/debug/$target" "${options[@]}" -artifact_prefix="$found/" "$learnt" "tests/fuzz/corpus/$target" \
    >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "$target found something. The input is the newest file in $found; once more: target/debug/$target FILE"
    exit 1
  fi
  printf '%-12s %s\n' "$target" "$(grep -E '^#[0-9]+.*DONE' "$log" | tail -n 1)"
done
