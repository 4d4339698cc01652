#!/bin/sh
# Makes a second version of a real plugin: on-time 0.2.0, for which a flight is late after 30 minutes, not after 15.
# usage: edit.sh DIRECTORY     copies what the plugin needs there, edits it, builds it and prints the path of the component
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
copy=$1

# A small workspace of its own, so that the tree stays as it is; the lock file keeps every version.
mkdir -p "$copy/plugins"
cp -R "$top/guest-sdk" "$top/wit" "$copy/"
cp -R "$top/plugins/on-time" "$copy/plugins/"
cp "$top/Cargo.lock" "$top/rust-toolchain.toml" "$copy/"
sed -e '/^members = \[$/,/^]$/c\members = ["guest-sdk/rust", "plugins/on-time"]' -e '/^default-members = /d' \
  "$top/Cargo.toml" >"$copy/Cargo.toml"

plugin=$copy/plugins/on-time
sed 's|^version.workspace = true|version = "0.2.0"|' "$top/plugins/on-time/Cargo.toml" >"$plugin/Cargo.toml"
sed -e 's|LATE_AFTER_MINUTES: i64 = 15|LATE_AFTER_MINUTES: i64 = 30|' -e 's|15 minutes|30 minutes|' \
  "$top/plugins/on-time/src/lib.rs" >"$plugin/src/lib.rs"
if cmp -s "$top/plugins/on-time/src/lib.rs" "$plugin/src/lib.rs"; then
  echo "edit.sh: nothing was edited; the plugin's source has changed" >&2
  exit 1
fi

# Everything that it needs was fetched when the plugins of the tree were built.
built=${CARGO_TARGET_DIR:-$top/target}/edited
(cd "$copy" && cargo build --quiet --offline --profile plugin --target wasm32-wasip2 --target-dir "$built" -p on-time >&2)
cp "$built/wasm32-wasip2/plugin/on_time.wasm" "$copy/on_time.wasm"
echo "$copy/on_time.wasm"
