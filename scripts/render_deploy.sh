#!/usr/bin/env bash
# render_deploy.sh [--check]: writes deploy/base/operator.yaml from the chart etcd-operator, or fails
# when it differs. Exit 77: no helm.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tools=$(tests/kubernetes/tools.sh)
render() {
  echo "# The chart etcd-operator as rendered by scripts/render_deploy.sh; do not edit."
  "$tools/helm" template etcd-operator charts/etcd-operator --namespace etcd-system \
    --kube-version 1.34.0 --set crds.install=false --skip-tests |
    sed -e '/helm.sh\/chart:/d' -e 's#managed-by: Helm#managed-by: kustomize#'
}
if [ "${1:-}" = --check ]; then
  render | diff -u deploy/base/operator.yaml -
else
  render >deploy/base/operator.yaml
fi
