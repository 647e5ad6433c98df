#!/usr/bin/env bash
# tsan.sh [TEST...]: builds the thread-sanitizer preset for the given test binaries, or for all of
# tests/SANITIZED, and runs them. Not part of test.sh: the build alone takes many minutes.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ $# -gt 0 ]; then
  wanted=("$@")
else
  mapfile -t wanted < <(grep -v '^#' tests/SANITIZED)
fi
build tsan "${wanted[@]}"
pattern="^($(IFS='|'; echo "${wanted[*]}"))$"
# One process at a time: a test under tsan uses several times its usual memory and processor time.
TSAN_OPTIONS="suppressions=$root/tests/tsan.supp second_deadlock_stack=1" \
  ctest --test-dir build/tsan -R "$pattern" --output-on-failure --no-tests=error
