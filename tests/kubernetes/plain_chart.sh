#!/usr/bin/env bash
# plain_chart.sh [--keep]: our image (from $BINARIES, default build/release/bin) and the chart etcd on a
# testbed: installed in a namespace that admits restricted pods only, its helm test, a pod deleted, a
# changed size refused, an upgrade. Needs root and testbed/testbed.sh build; takes the testbed down at the
# end unless told to keep it.
set -euo pipefail
exec </dev/null
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bed=$here/testbed/testbed.sh
work=$(mktemp -d)
keep=${1:-}

finish() {
  local result=$?
  [ $result = 0 ] || {
    "$bed" kubectl get pods,pvc,pv,events --all-namespaces || true
    "$bed" kubectl logs --namespace store --all-containers --prefix --tail=20 --selector app.kubernetes.io/instance=db || true
  }
  rm -rf "$work"
  [ "$keep" = --keep ] || "$bed" down
  [ $result = 0 ] && echo "plain_chart: passed" || echo "plain_chart: FAILED"
}
trap finish EXIT
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
kubectl() { "$bed" kubectl --namespace store "$@"; }
helm() { "$bed" helm --namespace store "$@"; }
chart=("$root/charts/etcd" --set image.repository=localhost/etcd --set image.tag=dev)
# The commands of README.md: only the values of its variables are ours.
readme=$(PYTHONPATH=$here/e2e /usr/bin/python3 -c 'import readme; print(readme.block_with("helm install db"))' |
  sed -e 's/^REGISTRY=.*/REGISTRY=localhost/' -e 's/^TAG=.*/TAG=dev/')
ready() { kubectl rollout status statefulset/db --timeout=120s; }

step "image"
"$root/scripts/image.sh" build --tool buildah --prebuilt "${BINARIES:-$root/build/release/bin}" \
  --out "$work/etcd.tar" etcd
step "testbed"
"$bed" up
"$bed" load "$work/etcd.tar"
"$bed" volumes 2 10Gi
"$bed" kubectl create namespace store
"$bed" kubectl label namespace store pod-security.kubernetes.io/enforce=restricted

step "install and helm test, as README says"
cd "$root"
eval "$readme"
step "what the test pod said"
helm test db --logs | tee "$work/test"
grep -q 'passed: 3 members' "$work/test" || fail "the test pod did not say that it passed"

step "a pod comes back on its volume"
kubectl exec db-0 -- etcdctl put kept yes
before=$(kubectl get pod db-1 -o 'jsonpath={.metadata.uid}')
kubectl delete pod db-1 --wait=true
ready
[ "$(kubectl get pod db-1 -o 'jsonpath={.metadata.uid}')" != "$before" ] || fail "the pod is the old one"
[ "$(kubectl exec db-1 -- etcdctl get --print-value-only kept)" = yes ] || fail "the key is gone"

step "another size is refused"
! helm upgrade db "${chart[@]}" --set replicaCount=5 >"$work/refused" 2>&1 || fail "replicaCount=5 was taken"
grep -q 'a StatefulSet alone cannot change' "$work/refused" || fail "$(cat "$work/refused")"
step "upgrade, member by member"
helm upgrade db "${chart[@]}" --set etcd.snapshotCount=5000
ready
kubectl get pods -o 'jsonpath={.items[*].spec.containers[0].args}' | grep -q 'initial-cluster-state=existing' ||
  fail "members start as new after an upgrade"
[ "$(kubectl exec db-2 -- etcdctl get --print-value-only kept)" = yes ] || fail "the key is gone"
helm test db
