#!/bin/sh
# A RUSTC_WORKSPACE_WRAPPER: polyfold and its fuzz targets are compiled with coverage, for stable toolchains and without
# a sanitizer. All else, wasmtime above all, stays as the tests have built it.
rustc=$1
shift

# What cargo asks before it builds: the answer says that this is a build for fuzzing, so that libFuzzer belongs to it.
case " $* " in *" --crate-name ___ "*) exec "$rustc" "$@" --cfg fuzzing ;; esac

case "$CARGO_PKG_NAME $*" in
  *" --crate-name build_script_"*) exec "$rustc" "$@" ;;
  "polyfold "* | "polyfold-fuzz "*) ;;
  *) exec "$rustc" "$@" ;;
esac
# Optimised a little, which comparisons survive in a form that libFuzzer understands; overflows are still panics.
exec "$rustc" "$@" --cfg fuzzing -Copt-level=1 -Cdebug-assertions=yes -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
