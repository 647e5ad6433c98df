#!/usr/bin/env bash
# simulate.sh [--seeds N] [--hours H] [--jobs J]: long runs of the deterministic simulation with fresh
# seeds, each job with its own. Defaults: 1 hour, as many jobs as processors. A failure prints the
# seed, its options, the last events and the replay command; put its seed into
# tests/simulation/seeds.txt with the fix. See docs/testing.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

seeds=0 hours=1 jobs=$(nproc)
while (($# > 0)); do
  case $1 in
    --seeds) seeds=$2 hours=0 ;;
    --hours) hours=$2 ;;
    --jobs) jobs=$2 ;;
    *) echo "usage: simulate.sh [--seeds N] [--hours H] [--jobs J]" >&2; exit 2 ;;
  esac
  shift 2
done

build release simulation
seconds=$(python3 -c "print(int(float('$hours') * 3600))")
start=$(date +%s%N)
log=build/release/simulation
rm -f "$log".*.log
pids=()
for ((job = 0; job < jobs; ++job)); do
  # Seeds of the jobs lie far apart, so that no two run the same.
  build/release/bin/simulation --from $((start + job * 1000000000000)) \
    --seeds $(((seeds + jobs - 1) / jobs)) --seconds "$seconds" --check-replay 50 --require-marks \
    >"$log.$job.log" 2>&1 &
  pids+=($!)
done
result=0
for ((job = 0; job < jobs; ++job)); do
  wait "${pids[$job]}" || result=1
  cat "$log.$job.log"
done
exit "$result"
