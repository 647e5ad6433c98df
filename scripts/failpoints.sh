#!/usr/bin/env bash
# Builds the server with failpoints (build/failpoints) and tries them: the endpoint, and a member of
# a cluster under load that dies or sleeps at each of them in turn. Not part of scripts/test.sh.
#
#   scripts/failpoints.sh [ROUNDS_PER_FAILPOINT]        default: 1
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build failpoints etcd
build release cluster_client faulty_io
export ETCD_BINARY=$root/build/failpoints/bin/etcd
export CLUSTER_CLIENT=$root/build/release/bin/cluster_client
export FAULTY_IO=$root/build/release/lib/libfaulty_io.so
/usr/bin/python3 tests/integration/failpoints_test.py
/usr/bin/python3 tests/integration/cluster/failpoint_rounds.py --rounds "${1:-1}"
