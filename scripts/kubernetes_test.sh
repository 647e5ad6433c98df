#!/usr/bin/env bash
# kubernetes_test.sh [--busy]: the whole story of operator, charts, backups and restores on the testbed
# (about 20 minutes), then the plain chart. A missed bar fails at the end, but with --busy, for a machine
# that does other work as well. Needs root, scripts/setup.sh --kubernetes and
# tests/kubernetes/testbed/testbed.sh build. Its last output is kept in docs/testing.md.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
judge=(--judge)
[ "${1:-}" != --busy ] || judge=()
build release etcd etcdutl etcd-operator etcd-operator-worker cluster_client
/usr/bin/python3 tests/kubernetes/e2e/e2e.py --whole "${judge[@]}"
tests/kubernetes/plain_chart.sh
