# Sourced by the conformance scripts: builds the pinned Go tools once and runs the test server.
# Usage: the first argument of every script is the interop_server binary.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
server_binary=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/etcd-conformance
work=$(mktemp -d)
server_pid=

skip() {
  echo "SKIPPED: $1"
  exit 77
}

cleanup() {
  if [ -n "$server_pid" ]; then kill "$server_pid" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

# build_tool NAME PACKAGE: $cache/NAME-<hash of the pins>
build_tool() {
  command -v go >/dev/null || skip "Go is not installed"
  local version
  version=$(go env GOVERSION)
  version=${version#go1.}
  [ "${version%%.*}" -ge 21 ] || skip "Go 1.21 or newer is needed, this is $(go env GOVERSION)"
  local pins
  pins=$(cat "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-16)
  tool=$cache/$1-$pins
  if [ ! -x "$tool" ]; then
    mkdir -p "$cache"
    (cd "$here" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -o "$work/$1" "$2") ||
      skip "cannot build $2 (no module cache and no network?)"
    mv "$work/$1" "$tool"
  fi
}

start_server() {
  "$server_binary" >"$work/server.out" &
  server_pid=$!
  for _ in $(seq 200); do
    grep -q listening "$work/server.out" && break
    kill -0 "$server_pid" || { echo "the server did not start"; exit 1; }
    sleep 0.05
  done
  grpc_port=$(sed -n 's/listening on .*:\([0-9]*\) http .*/\1/p' "$work/server.out")
  http_port=$(sed -n 's/.*http .*:\([0-9]*\)$/\1/p' "$work/server.out")
}

# The server must have outlived the whole run.
check_server() {
  kill -0 "$server_pid" || { echo "the server died"; exit 1; }
}
