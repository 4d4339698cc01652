#!/usr/bin/env bash
# Pushes plugins to a real registry and installs them from there: Debian's docker-registry on loopback, with signatures that
# Debian's minisign makes. Needs apt-get and curl; where the packages cannot be had, it says so and passes.
# Takes POLYFOLD and POLYFOLD_PLUGINS as examples/flights/run.sh does, and POLYFOLD_TOOLS, where the packages are kept.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '\n%s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*" >&2; exit 0; }
fail() { printf 'failed: %s\n' "$*" >&2; exit 1; }

target=${CARGO_TARGET_DIR:-$PWD/target}
tools=${POLYFOLD_TOOLS:-$target/tools}/oci

for program in apt-get dpkg curl python3; do command -v "$program" >/dev/null || skip "there is no $program"; done
if [ ! -x "$tools/usr/bin/docker-registry" ] || [ ! -x "$tools/usr/bin/minisign" ]; then
  mkdir -p "$tools"
  (cd "$tools" && apt-get download docker-registry minisign >/dev/null 2>&1) || skip "apt-get cannot get docker-registry and minisign"
  for package in "$tools"/*.deb; do dpkg -x "$package" "$tools"; done
fi
registry=$tools/usr/bin/docker-registry
minisign=$tools/usr/bin/minisign
"$registry" --version >/dev/null 2>&1 || skip "docker-registry does not run here"
"$minisign" -v >/dev/null 2>&1 || skip "minisign does not run here"

if [ -z "${POLYFOLD:-}" ]; then
  cargo build --locked -p polyfold
  POLYFOLD=$target/debug/polyfold
fi
if [ -z "${POLYFOLD_PLUGINS:-}" ]; then
  cargo build --locked --profile plugin --target wasm32-wasip2 -p event-counts -p on-time
  POLYFOLD_PLUGINS=$target/wasm32-wasip2/plugin
fi

files=$(mktemp -d)
export POLYFOLD_DATA_DIR=$files/data
started=()
stop() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  rm -rf "$files"
}
trap stop EXIT

# The hash is that of the word "secret".
printf 'ada:%s\n' '$2b$05$polyfoldpolyfoldpolyfet1b6ymySMKLF9hP5pEg1gyeKNolTQKm' >"$files/htpasswd"

# start NAME [AUTH]: a registry at a free port; its host and port are in $address afterwards.
start() {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  address=127.0.0.1:$port
  {
    printf 'version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n'
    printf 'storage:\n  filesystem:\n    rootdirectory: %s\n' "$files/$1"
    printf 'http:\n  addr: %s\n' "$address"
    if [ -n "${2:-}" ]; then printf 'auth:\n  htpasswd:\n    realm: here\n    path: %s\n' "$files/htpasswd"; fi
  } >"$files/$1.yml"
  OTEL_TRACES_EXPORTER=none "$registry" serve "$files/$1.yml" >"$files/$1.log" 2>&1 &
  started+=($!)
  curl --silent --output /dev/null --retry 50 --retry-connrefused --retry-delay 1 "http://$address/v2/" || {
    cat "$files/$1.log" >&2
    fail "the registry does not start"
  }
}

# expect CODE TEXT COMMAND...: runs the program, which must end with that code and say that.
expect() {
  local code=$1 text=$2 said status=0
  shift 2
  said=$("$POLYFOLD" "$@" 2>&1) || status=$?
  printf '$ polyfold %s\n%s\n' "$*" "$said"
  [ "$status" = "$code" ] || fail "exit code $status instead of $code"
  case $said in *"$text"*) ;; *) fail "it does not say: $text" ;; esac
}

say "A plugin, signed and pushed"
start open
open=$address
plugin=$POLYFOLD_PLUGINS/event_counts.wasm
"$minisign" -G -W -p "$files/acme.pub" -s "$files/acme.key" >/dev/null
"$minisign" -S -s "$files/acme.key" -m "$plugin" -x "$files/counts.minisig" -t "event-counts 0.1.0" >/dev/null
expect 0 "is trusted" trust add acme "$files/acme.pub"
expect 0 "with its signature" plugin push "$plugin" "oci://$open/acme/event-counts:0.1.0" --signature "$files/counts.minisig"
digest=$("$POLYFOLD" --json plugin push "$plugin" "oci://$open/acme/event-counts:again" --signature "$files/counts.minisig" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["digest"])')
kept=$(curl --silent --head --header 'Accept: application/vnd.oci.image.manifest.v1+json' \
  "http://$open/v2/acme/event-counts/manifests/0.1.0" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip')
[ "$digest" = "$kept" ] || fail "the registry has $kept, and $digest was pushed"

say "Installed by tag and by digest"
expect 0 "signed by acme" plugin install "oci://$open/acme/event-counts:0.1.0" --require-signature
expect 0 "was installed before" plugin install "oci://$open/acme/event-counts@$digest"
expect 0 "$open/acme/event-counts" plugin inspect event-counts
cmp "$plugin" "$POLYFOLD_DATA_DIR"/plugins/*.wasm || fail "what is installed is not what was pushed"

say "What is not there, or not signed"
expect 3 "no such repository or tag" plugin install "oci://$open/acme/event-counts:2.0.0"
expect 3 "no such repository or tag" plugin install "oci://$open/acme/event-counts@sha256:$(printf '0%.0s' {1..64})"
expect 0 "unsigned" plugin push "$POLYFOLD_PLUGINS/on_time.wasm" "oci://$open/on-time"
expect 4 "is not signed" plugin install "oci://$open/on-time" --require-signature
expect 0 "unsigned" plugin install "oci://$open/on-time"
"$minisign" -S -s "$files/acme.key" -m "$POLYFOLD_PLUGINS/on_time.wasm" -x "$files/on-time.minisig" >/dev/null
expect 4 "does not fit" plugin install "oci://$open/acme/event-counts:0.1.0" --signature "$files/on-time.minisig"
expect 0 "signed by acme" plugin install "oci://$open/on-time" --signature "$files/on-time.minisig"

say "A registry with a login"
start closed login
printf 'secret\n' >"$files/password"
printf 'wrong\n' >"$files/wrong"
expect 4 "give --username and --password-file" plugin push "$plugin" "oci://$address/counts:1"
expect 4 "does not let that user push" plugin push "$plugin" "oci://$address/counts:1" --username ada --password-file "$files/wrong"
expect 0 "pushed" plugin push "$plugin" "oci://$address/counts:1" --username ada --password-file "$files/password"
expect 4 "give --username and --password-file" plugin install "oci://$address/counts:1"
expect 4 "does not take that name and password" plugin install "oci://$address/counts:1" --username ada --password-file "$files/wrong"
POLYFOLD_REGISTRY_PASSWORD=secret expect 0 "was installed before" plugin install "oci://$address/counts:1" --username ada

say "The registry and its client agree."
