#!/usr/bin/env bash
# interop.sh SERVER: the cases of gRPC's published interop client that need no credentials.
source "$(dirname "$0")/common.sh"
build_tool interop_client google.golang.org/grpc/interop/client
start_server
failed=0
run() {
  local name=$1
  shift
  if timeout 60 "$tool" --server_host=127.0.0.1 --server_port="$grpc_port" --test_case="$name" "$@" \
    >"$work/client.out" 2>&1; then
    echo "PASS $name"
  else
    echo "FAIL $name"
    tail -20 "$work/client.out"
    failed=1
  fi
}
for name in empty_unary large_unary client_streaming server_streaming ping_pong empty_stream \
  timeout_on_sleeping_server cancel_after_begin cancel_after_first_response \
  status_code_and_message special_status_message custom_metadata unimplemented_method \
  unimplemented_service; do
  run "$name"
done
run rpc_soak --soak_iterations=50 --soak_overall_timeout_seconds=30
run channel_soak --soak_iterations=20 --soak_overall_timeout_seconds=30
check_server
exit "$failed"
