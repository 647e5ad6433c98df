#!/usr/bin/env bash
# The long crash runs: kill -9 and power cuts of the real server under writers. Prints a summary and
# fails when anything was lost. Takes about an hour; not part of scripts/test.sh.
#
#   scripts/crash_long.sh [CRASH_ROUNDS [POWER_ROUNDS]]        default: 1000 200
set -euo pipefail
cd "$(dirname "$0")/.."
crash_rounds=${1:-1000}
power_rounds=${2:-200}
cmake --preset release >/dev/null
ninja -C build/release etcd crash_client faulty_io >/dev/null

log=$(mktemp --tmpdir crash-long.XXXXXX)
failed=0
# run NAME COMMAND...: one line of the summary.
run() {
  local name=$1 start=$SECONDS
  shift
  if /usr/bin/python3 "$@" >"$log" 2>&1; then
    echo "$name: $(tail -n 1 "$log") ($(head -n 1 "$log"), $((SECONDS - start)) s)"
  else
    failed=1
    echo "$name: FAILED after $((SECONDS - start)) s ($(head -n 1 "$log"))"
    cat "$log"
  fi
}

run "kill -9" tests/integration/crash/crash_test.py --rounds "$crash_rounds"
run "power cut" tests/integration/faults/power_loss_test.py --rounds "$power_rounds"
run "failed fsync" tests/integration/faults/fsync_failure_test.py --rounds "$((power_rounds / 5))"
run "damage" tests/integration/faults/damage_test.py --cases "$((power_rounds / 4))"
rm -f "$log"
exit "$failed"
