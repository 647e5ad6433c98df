#!/usr/bin/env bash
# kubernetes_test.sh: the whole story of operator, charts, backups and restores on the testbed (about
# 30 minutes), then the plain chart. Needs root, scripts/setup.sh --kubernetes and
# tests/kubernetes/testbed/testbed.sh build. Its last output is kept in docs/testing.md.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build release etcd etcdutl etcd-operator cluster_client
/usr/bin/python3 tests/kubernetes/e2e/e2e.py --whole
tests/kubernetes/plain_chart.sh
