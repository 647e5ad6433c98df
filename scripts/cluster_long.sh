#!/usr/bin/env bash
# The long runs of clusters of real processes; needs root for network namespaces, and Go 1.26 for the
# mixed clusters. Prints a summary, fails when anything was wrong. Takes some hours; not part of
# scripts/test.sh.
#
#   scripts/cluster_long.sh [ROUNDS [KILLS [SWAPS]]]        default: 1000 200 10
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${1:-1000}
kills=${2:-200}
swaps=${3:-10}
build release etcd cluster_client faulty_io >/dev/null

tests=tests/integration/cluster
log=$(mktemp --tmpdir cluster-long.XXXXXX)
failed=0
# run NAME COMMAND...: one line of the summary.
run() {
  local name=$1 start=$SECONDS
  shift
  if /usr/bin/python3 "$@" >"$log" 2>&1; then
    echo "$name: $(tail -n 1 "$log") ($((SECONDS - start)) s)"
  else
    failed=1
    echo "$name: FAILED after $((SECONDS - start)) s: $*"
    cat "$log"
  fi
}

# 50 rounds a run: the whole history of a run is kept and judged at its end.
for ((i = 0; i < rounds; i += 100)); do
  run "faults, 3 members" $tests/faults_test.py --rounds 50
  run "faults, 5 members" $tests/faults_test.py --members ours,ours,ours,ours,ours --rounds 50
done
run "failover" $tests/failover_test.py --kills "$kills" --stops "$((kills / 4))"
for ((i = 0; i < swaps; ++i)); do
  for version in v34 v35 v36; do run "roles with $version" $tests/mixed_test.py roles $version; done
  run "swap" $tests/mixed_test.py swap v35 v36
  run "swap, version held" $tests/mixed_test.py swap v35 v35 --hold
done
rm -f "$log"
exit "$failed"
