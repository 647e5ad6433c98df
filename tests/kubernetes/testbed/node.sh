# Sourced by testbed.sh: one node. Its processes live in mount, UTS and PID namespaces below one
# process, so that killing that one is a power failure.

start_node() {
  local i=$1 d=$BED/node$1 c f
  mkdir -p "$d/cni" "$d/run" "$d/static" "$d/podlogs"
  for c in /sys/fs/cgroup/*/; do mkdir -p "$c/$CGROUP$i"; done
  for f in cpus mems; do
    [ ! -f "/sys/fs/cgroup/cpuset/cpuset.$f" ] ||
      cat "/sys/fs/cgroup/cpuset/cpuset.$f" >"/sys/fs/cgroup/cpuset/$CGROUP$i/cpuset.$f"
  done
  containerd_files "$i" "$d"
  kubelet_files "$i" "$d"
  init_script "$i" "$d"
  nsenter --net="/run/netns/kn$i" setsid unshare --mount --uts --pid --fork --kill-child --mount-proc \
    bash "$d/init.sh" </dev/null >"$BED/log/node$i.log" 2>&1 &
  echo $! >"$BED/node$i.pid"
}

kill_node() {
  local i=$1
  kill -9 "$(cat "$BED/node$i.pid")" 2>/dev/null || true
  rm -f "$BED/node$i.pid"
  # What the kernel would have lost with the power stays in our network namespace.
  nsenter --net="/run/netns/kn$i" ip link del cni0 2>/dev/null || true
  nsenter --net="/run/netns/kn$i" iptables -t nat -F 2>/dev/null || true
}

containerd_files() {
  local i=$1 d=$2
  cat >"$d/containerd.toml" <<T
version = 2
root = "$d/containerd"
state = "$d/run/containerd"
[grpc]
  address = "$d/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$d/cni"
T
  cat >"$d/cni/10-pods.conflist" <<T
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$d/run/ipam", "ranges": [[{"subnet": "198.18.$i.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
T
}

kubelet_files() {
  local i=$1 d=$2
  cat >"$d/kubelet.yaml" <<T
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP$i
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix://$d/run/containerd.sock
failSwapOn: false
clusterDNS: ["$CP"]
clusterDomain: cluster.local
resolvConf: $BED/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
staticPodPath: $d/static
podLogsDir: $d/podlogs
nodeStatusUpdateFrequency: 4s
syncFrequency: 5s
T
  cat >"$d/kube-proxy.yaml" <<T
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $BED/admin.kubeconfig}
mode: iptables
clusterCIDR: 198.18.0.0/16
hostnameOverride: node$i
conntrack: {maxPerCore: 0}
T
}

# The node's first process: a tmpfs for pod networks and a fresh run folder, both gone with its power.
init_script() {
  local i=$1 d=$2
  cat >"$d/init.sh" <<T
hostname node$i
mount --make-rprivate /
mount -t tmpfs tmpfs /run/netns
rm -rf $d/run
mkdir -p $d/run
containerd -c $d/containerd.toml >$BED/log/node$i-containerd.log 2>&1 &
until ctr -a $d/run/containerd.sock version >/dev/null 2>&1; do sleep 0.1; done
for image in $BED/images/*.tar; do
  ctr -a $d/run/containerd.sock -n k8s.io images import "\$image" >/dev/null
done
$BIN/kube-proxy --config=$d/kube-proxy.yaml >$BED/log/node$i-kube-proxy.log 2>&1 &
$BIN/kubelet --config=$d/kubelet.yaml --kubeconfig=$BED/node$i.kubeconfig --root-dir=$d/kubelet \
  --hostname-override=node$i --node-ip=198.18.255.$i \
  --node-labels=topology.kubernetes.io/zone=zone$i >$BED/log/node$i-kubelet.log 2>&1 &
while :; do wait; sleep 1; done
T
}
