#!/usr/bin/env bash
# Builds the Go etcd releases (server and etcdutl) that benchmarks and conformance tests run beside
# ours, from their published modules, into the user's cache folder. Prints the folder. Exit 77: no Go new enough.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-peers
minor=$(go version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p' || true)
if [ -z "$minor" ] || [ "$minor" -lt 26 ]; then
  echo "SKIPPED: peers need Go 1.26 or newer" >&2
  exit 77
fi
mkdir -p "$out"
exec 9>"$out/lock"  # tests that run side by side build once
flock 9
for release in v35 v36 v37; do
  # The sums name the exact sources: built once for each content of the module files.
  stamp=$(cat "$here/$release/go.mod" "$here/$release/go.sum" | sha256sum | cut -c1-16)
  if [ ! -x "$out/$release/etcd" ] || [ "$(cat "$out/$release/stamp" 2>/dev/null)" != "$stamp" ]; then
    mkdir -p "$out/$release"
    (cd "$here/$release" && go build -o "$out/$release/etcd" go.etcd.io/etcd/server/v3 &&
      go build -o "$out/$release/etcdutl" go.etcd.io/etcd/etcdutl/v3) >&2
    echo "$stamp" > "$out/$release/stamp"
  fi
done
echo "$out"
