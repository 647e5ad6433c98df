#!/usr/bin/env bash
# go_program.sh DIR PACKAGE [FLAG..]: builds a program of a published module, pinned by go.mod and go.sum
# in DIR, into the user's cache folder, once for each content of these files and flags of `go build`.
# Prints the program's path. Exit 77: no Go that is new enough, or the build fails.
set -euo pipefail
dir=$1 package=$2
shift 2
name=$(basename "$package")
wanted=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' "$dir/go.mod")
minor=$(go version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p' || true)
if [ -z "$minor" ] || [ "$minor" -lt "$wanted" ]; then
  echo "SKIPPED: $name needs Go 1.$wanted or newer" >&2
  exit 77
fi
out=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-$name
mkdir -p "$out"
exec 9>"$out/lock"  # tests that run side by side build once
flock 9
program=$out/$name-$({ cat "$dir/go.mod" "$dir/go.sum"; printf '%s' "$*"; } | sha256sum | cut -c1-16)
if [ ! -x "$program" ]; then
  (cd "$dir" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build "$@" -o "$program.new" "$package") >&2 ||
    { echo "SKIPPED: $name does not build (no module cache and no network?)" >&2; exit 77; }
  mv "$program.new" "$program"
fi
echo "$program"
