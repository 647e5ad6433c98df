#!/usr/bin/env bash
# test.sh: everything that must hold before a change is merged, cheapest first. Works from a fresh
# clone, reads nothing from stdin. The last lines are ctest's summary.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "packages"
scripts/setup.sh --test

step "format"
git ls-files '*.h' '*.cc' | xargs clang-format --dry-run -Werror

step "layers, and every test in a target"
python3 scripts/check_layers.py
python3 scripts/check_tests.py

step "build"
build release
step "every header alone"
ninja -C build/release -j "$CMAKE_BUILD_PARALLEL_LEVEL" all_verify_interface_header_sets

step "asan and ubsan: the layers that need no other server"
mapfile -t sanitized < <(grep -v '^#' tests/SANITIZED)
build asan-ubsan "${sanitized[@]}"
pattern="^($(IFS='|'; echo "${sanitized[*]}"))$"
ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
  ctest --test-dir build/asan-ubsan -R "$pattern" -j 2 --output-on-failure --no-tests=error \
  --output-junit asan.xml
python3 scripts/check_results.py build/asan-ubsan asan.xml --label-prefix asan-

step "tests"
log=build/release/ctest.log
result=0
ctest --test-dir build/release -j 2 --output-on-failure --no-tests=error --output-junit tests.xml |
  tee "$log" || result=$?
python3 scripts/check_results.py build/release tests.xml || result=1

step "done"
sed -n '/tests passed/,$p' "$log"
exit "$result"
