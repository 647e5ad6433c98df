#!/usr/bin/env bash
# Builds what is compared, then bench/compare.py with the same arguments.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/peers/build.sh" > /dev/null || echo "without the peers that need Go" >&2
cmake --preset release -S "$here/.." > /dev/null
cmake --build "$here/../build/release" -j2 --target etcd bench_load bench_floor > /dev/null
exec python3 "$here/compare.py" "$@"
