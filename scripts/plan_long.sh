#!/usr/bin/env bash
# The long run of the operator's plan: random faults on a simulated cluster, each sequence from a
# seed of its own. Fails at the first sequence that breaks a rule. Not part of scripts/test.sh.
#
#   scripts/plan_long.sh [SEQUENCES]        default: 100000
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
ninja -C build/release plan_test >/dev/null
PLAN_SEQUENCES=${1:-100000} nice -n 15 build/release/bin/plan_test --gtest_filter='PlanProperty.*'
