#!/usr/bin/env bash
# h2spec.sh SERVER [h2spec options]: every case of h2spec must pass.
source "$(dirname "$0")/common.sh"
shift
build_tool h2spec github.com/summerwind/h2spec/cmd/h2spec
start_server
"$tool" --port "$http_port" --timeout 2 "$@" | tee "$work/h2spec.out"
check_server
grep -Eq '^[0-9]+ tests, [0-9]+ passed, 0 skipped, 0 failed$' "$work/h2spec.out" || exit 1
