#!/usr/bin/env bash
# Builds versitygw, an S3 server, from its published module into the user's cache folder, once for
# each content of the module files. Prints the program's path. Exit 77: no Go new enough.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/versitygw
out=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-versitygw
minor=$(go version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p' || true)
if [ -z "$minor" ] || [ "$minor" -lt 25 ]; then
  echo "SKIPPED: versitygw needs Go 1.25 or newer" >&2
  exit 77
fi
mkdir -p "$out"
exec 9>"$out/lock"  # tests that run side by side build once
flock 9
program=$out/versitygw-$(cat "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-16)
if [ ! -x "$program" ]; then
  (cd "$here" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -o "$program.new" \
    github.com/versity/versitygw/cmd/versitygw) >&2 ||
    { echo "SKIPPED: versitygw does not build (no module cache and no network?)" >&2; exit 77; }
  mv "$program.new" "$program"
fi
echo "$program"
