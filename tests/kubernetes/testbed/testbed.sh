#!/usr/bin/env bash
# A real Kubernetes on one machine, for tests: kube-apiserver, controller-manager, scheduler, CoreDNS,
# and NODES nodes with containerd, kubelet and kube-proxy, each in namespaces of its own. Needs root;
# no Docker, no network outside. One testbed per machine.
#
#   testbed.sh build            build the binaries (once, about 10 minutes on 2 cores, cached)
#   testbed.sh up               start; returns when every node is Ready (about 10 s)
#   testbed.sh load FILE.tar    import an image archive (docker-archive or OCI) on every node
#   testbed.sh volumes N SIZE   N persistent volumes of SIZE on each node, default StorageClass "local"
#   testbed.sh recycle          empty volumes whose claim is gone and offer them again
#   testbed.sh kubectl ARGS..   kubectl as administrator;  testbed.sh helm ARGS.. likewise
#   testbed.sh exec [I] CMD..   run CMD in the network of node I (no I: of the control plane)
#   testbed.sh kill-node I      node I loses power: all its processes at once; disks stay
#   testbed.sh start-node I     and comes back
#   testbed.sh cut-node I, heal-node I      unplug and replug its network
#   testbed.sh status           what runs;  testbed.sh log NAME: the log of one process (no NAME: list)
#   testbed.sh down             stop everything, remove namespaces and cgroups
#
# Settings: BED (state folder), CGROUP (prefix of the nodes' groups; with another BED, and in a mount
# namespace with a /run/netns of its own, a second testbed can stand beside the first), NODES (3),
# ETCD_SERVERS (store of the API server; default: Debian's etcd on the control plane), APISERVER_ARGS
# (further flags), NODE_GRACE (20s: silence of a node until it counts as lost). Addresses exist only
# inside the namespaces: nodes 198.18.255.I, control plane 198.18.255.254, pods 198.18.I.0/24,
# services 198.19.0.0/24.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-testbed
BED=${BED:-$cache/state}
CGROUP=${CGROUP:-testbed-node}
BIN=$cache/bin
NODES=${NODES:-3}
CP=198.18.255.254
PKI=$BED/pki
source "$here/build.sh"
source "$here/control_plane.sh"
source "$here/node.sh"

say() { echo "testbed: $*" >&2; }
die() { say "$*"; exit 1; }
in_cp() { nsenter --net=/run/netns/kcp "$@"; }
kctl() { in_cp env KUBECONFIG="$BED/admin.kubeconfig" "$BIN/kubectl" "$@"; }
is_up() { [ -e /run/netns/kcp ]; }

wait_for() {  # WHAT SECONDS CMD..
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "$what not ready in time; see $BED/log"
    sleep 0.3
  done
}

nodes_ready() { [ "$(kctl get nodes --no-headers 2>/dev/null | grep -cw Ready)" = "$NODES" ]; }

up() {
  is_up && die "a testbed is up already (or was not taken down): testbed.sh down"
  [ -x "$BIN/kube-apiserver" ] || die "not built: testbed.sh build"
  mkdir -p "$BED/log" "$BED/images"
  cp -n "$BIN/pause.tar" "$BED/images/" || true
  echo "nameserver $CP" >"$BED/resolv.conf"
  make_pki
  make_networks
  start_control_plane
  local i
  for i in $(seq "$NODES"); do start_node "$i"; done
  wait_for "a node" 90 nodes_ready
  wait_for "the default service account" 30 kctl get serviceaccount default
}

load() {
  local i
  cp "$1" "$BED/images/"  # nodes that start later import it too
  for i in $(seq "$NODES"); do
    [ -f "$BED/node$i.pid" ] || continue
    nsenter --net="/run/netns/kn$i" ctr -a "$BED/node$i/run/containerd.sock" -n k8s.io \
      images import "$1" >/dev/null &
  done
  wait
}

status() {
  is_up || { echo "down"; return 0; }
  local file
  for file in "$BED"/*.pid; do
    kill -0 "$(cat "$file")" 2>/dev/null && echo "$(basename "$file" .pid) runs" ||
      echo "$(basename "$file" .pid) IS GONE"
  done
  kctl get nodes
}

down() {
  local i file pids=()
  for i in $(seq 9); do [ ! -f "$BED/node$i.pid" ] || kill_node "$i"; done
  for file in "$BED"/*.pid; do
    [ ! -f "$file" ] || pids+=("$(cat "$file")")
    rm -f "$file"
  done
  kill "${pids[@]}" 2>/dev/null || true
  for i in $(seq 30); do kill -0 "${pids[@]}" 2>/dev/null || break; sleep 0.1; done
  kill -9 "${pids[@]}" 2>/dev/null || true
  for i in kcp $(seq -f 'kn%g' 9); do [ ! -e "/run/netns/$i" ] || ip netns del "$i"; done
  find /sys/fs/cgroup -depth -type d -path "*/$CGROUP[1-9]*" -exec rmdir {} + 2>/dev/null || true
  rm -rf "$BED/etcd" "$BED"/node* "$BED/volumes" "$BED/images" "$BED/pki" "$BED"/*.kubeconfig
}

# In place of this process, so that who ends it ends the command.
exec_in_node_or_cp() {
  local netns=kcp
  if [[ $1 =~ ^[0-9]$ ]]; then
    netns=kn$1
    shift
  fi
  exec nsenter --net="/run/netns/$netns" "$@"
}

verb=${1:-help}
shift || true
case $verb in
  build) build ;;
  up) up ;;
  down) down ;;
  status) status ;;
  log) if [ $# -gt 0 ]; then cat "$BED/log/$1.log"; else ls "$BED/log"; fi ;;
  load) load "$1" ;;
  volumes) make_volumes "$1" "$2" ;;
  recycle) recycle_volumes ;;
  kubectl) kctl "$@" ;;
  helm) in_cp env KUBECONFIG="$BED/admin.kubeconfig" "$BIN/helm" "$@" ;;
  exec) exec_in_node_or_cp "$@" ;;
  kill-node) kill_node "$1" ;;
  start-node) start_node "$1" ;;
  cut-node) in_cp ip link set "v$1" down ;;
  heal-node) in_cp ip link set "v$1" up ;;
  *) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" ;;
esac
