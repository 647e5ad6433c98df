#!/usr/bin/env bash
# run.sh [flags of etcd]: installs what is missing, builds the server and runs it in the current
# directory (data goes to ./default.etcd unless --data-dir says otherwise).
set -euo pipefail
caller=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
exclusively scripts/setup.sh
build release etcd etcdutl >&2
cd "$caller"
exec "$root/build/release/bin/etcd" "$@"
