#!/usr/bin/env bash
# setup.sh [--test|--kubernetes]: installs the Debian 12 packages that the build needs, with --test also
# those of the tests, with --kubernetes also those of the Kubernetes testbed and of images.
# Idempotent; when nothing is missing it only asks dpkg and is done in a moment.
set -euo pipefail

build_packages=(
  build-essential ccache cmake git ninja-build pkg-config
  libabsl-dev libboost-dev libcli11-dev libcurl4-openssl-dev libfmt-dev libgmock-dev libgrpc++-dev
  libgtest-dev libjemalloc-dev libnghttp2-dev libprotobuf-dev librocksdb-dev libspdlog-dev libssl-dev
  libyaml-cpp-dev libzstd-dev nlohmann-json3-dev prometheus-cpp-dev protobuf-compiler protobuf-compiler-grpc
  zlib1g-dev
)
# A real etcd and etcdctl to compare with, the Python client that people use, network namespaces.
test_packages=(
  clang-format curl etcd-client etcd-server iproute2 jq openssl python3 python3-etcd3 python3-yaml
)
# A Kubernetes of our own (tests/kubernetes/testbed) and images without Docker (scripts/image.sh).
kubernetes_packages=(
  buildah conntrack containerd containernetworking-plugins debootstrap ethtool etcd-server gcc iproute2
  iptables libc6-dev openssl python3 runc socat
)

wanted=("${build_packages[@]}")
if [ "${1:-}" = --test ]; then wanted+=("${test_packages[@]}"); fi
if [ "${1:-}" = --kubernetes ]; then
  wanted+=("${kubernetes_packages[@]}")
  # The npm of the machine serves as well; Debian's brings hundreds of packages.
  command -v npm >/dev/null || wanted+=(npm)
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi

# Debian starts the service of a package as soon as it is installed. An etcd on 2379 would be in the
# way of ours, and a test machine should not get a service as a side effect, so starting is refused
# while we install, unless the machine has a policy of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
