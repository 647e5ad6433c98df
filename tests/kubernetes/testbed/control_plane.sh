# Sourced by testbed.sh: certificates, networks, the control plane's processes, volumes.

# certificate NAME SUBJECT SANS: signed by the testbed's authority, with a kubeconfig.
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$PKI/$1.key" -out "$PKI/$1.csr" -subj "$2" 2>/dev/null
  openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial \
    -days 365 -out "$PKI/$1.crt" 2>/dev/null \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
  cat >"$BED/$1.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters:
- name: testbed
  cluster: {server: "https://$CP:6443", certificate-authority: $PKI/ca.crt}
users:
- name: user
  user: {client-certificate: $PKI/$1.crt, client-key: $PKI/$1.key}
contexts:
- name: testbed
  context: {cluster: testbed, user: user}
current-context: testbed
K
}

make_pki() {
  mkdir -p "$PKI"
  [ ! -f "$PKI/ca.crt" ] || return 0
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$PKI/ca.key" -out "$PKI/ca.crt" -days 365 \
    -subj /CN=testbed-ca 2>/dev/null
  openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null
  openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null
  local names="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost"
  certificate apiserver /CN=kube-apiserver "$names,IP:198.19.0.1,IP:127.0.0.1,IP:$CP"
  certificate admin /O=system:masters/CN=admin DNS:admin
  local i
  for i in $(seq "$NODES"); do
    certificate "node$i" "/O=system:nodes/CN=system:node:node$i" "DNS:node$i,IP:198.18.255.$i"
  done
}

# A bridge in the control plane's namespace, a cable to each node, routes to each node's pods.
make_networks() {
  local i j n
  ip netns add kcp
  in_cp ip link set lo up
  in_cp ip link add br0 type bridge
  in_cp ip addr add $CP/24 dev br0
  in_cp ip link set br0 up
  in_cp ip route add default dev br0
  in_cp sysctl -qw net.ipv4.ip_forward=1
  for i in $(seq "$NODES"); do
    ip netns add "kn$i"
    n="nsenter --net=/run/netns/kn$i"
    in_cp ip link add "v$i" type veth peer name eth0 netns "kn$i"
    in_cp ip link set "v$i" master br0 up
    $n ip link set lo up
    $n ip addr add "198.18.255.$i/24" dev eth0
    $n ip link set eth0 up
    $n ip route add default via $CP
    $n sysctl -qw net.ipv4.ip_forward=1
    in_cp ip route add "198.18.$i.0/24" via "198.18.255.$i"
    for j in $(seq "$NODES"); do
      [ "$j" = "$i" ] || $n ip route add "198.18.$j.0/24" via "198.18.255.$j"
    done
  done
}

# start NAME CMD..: in the control plane's network; log and pid are kept.
start() {
  local name=$1
  shift
  nsenter --net=/run/netns/kcp setsid "$@" >"$BED/log/$name.log" 2>&1 </dev/null &
  echo $! >"$BED/$name.pid"
}

start_control_plane() {
  local servers=${ETCD_SERVERS:-http://127.0.0.1:2379}
  if [ -z "${ETCD_SERVERS:-}" ]; then
    start etcd etcd --data-dir "$BED/etcd" --listen-peer-urls http://127.0.0.1:2380 \
      --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
  fi
  start_apiserver "$servers"
  wait_for "the API server" 60 in_cp curl -sfk --max-time 2 https://127.0.0.1:6443/readyz
  start kube-controller-manager "$BIN/kube-controller-manager" --leader-elect=false \
    --kubeconfig="$BED/admin.kubeconfig" --service-account-private-key-file="$PKI/sa.key" \
    --root-ca-file="$PKI/ca.crt" --use-service-account-credentials=true \
    --node-monitor-grace-period="${NODE_GRACE:-20s}" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key"
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$BED/admin.kubeconfig" --leader-elect=false
  cat >"$BED/Corefile" <<C
.:53 {
  bind $CP
  errors
  kubernetes cluster.local {
    kubeconfig $BED/admin.kubeconfig
    ttl 5
  }
  cache 5
}
C
  start coredns "$BIN/coredns" -conf "$BED/Corefile"
}

start_apiserver() {
  # shellcheck disable=SC2086  # APISERVER_ARGS is a list of words
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers="$1" ${APISERVER_ARGS:-} \
    --service-cluster-ip-range=198.19.0.0/24 --authorization-mode=Node,RBAC \
    --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" \
    --tls-private-key-file="$PKI/apiserver.key" --service-account-key-file="$PKI/sa.pub" \
    --service-account-signing-key-file="$PKI/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc \
    --advertise-address=$CP --bind-address=0.0.0.0 --allow-privileged=true \
    --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" \
    --kubelet-preferred-address-types=InternalIP
}

# `local` volumes honour fsGroup and are bound to their node; hostPath would do neither.
make_volumes() {
  local i k
  {
    cat <<S
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
S
    for i in $(seq "$NODES"); do
      for k in $(seq "$1"); do volume "$i" "$k" "$2"; done
    done
  } | kctl apply -f - >/dev/null
}

volume() {  # NODE NUMBER SIZE
  mkdir -p "$BED/volumes/node$1-$2"
  cat <<V
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: node$1-$2}
spec:
  capacity: {storage: $3}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local
  local: {path: $BED/volumes/node$1-$2}
  nodeAffinity:
    required:
      nodeSelectorTerms:
      - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node$1]}]
V
}

# What a provisioner would do with volumes whose claim is gone.
recycle_volumes() {
  local name phase size
  kctl get pv --no-headers -o custom-columns='N:.metadata.name,P:.status.phase,S:.spec.capacity.storage' |
    while read -r name phase size; do
      [ "$phase" = Released ] || [ "$phase" = Failed ] || continue
      kctl delete pv "$name" </dev/null >/dev/null
      rm -rf "${BED:?}/volumes/$name"
      [[ $name =~ ^node([0-9]+)-([0-9]+)$ ]] || continue
      volume "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$size" | kctl apply -f - >/dev/null
      echo "$name"
    done
}
