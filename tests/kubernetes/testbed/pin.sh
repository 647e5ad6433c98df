#!/usr/bin/env bash
# pin.sh KUBERNETES COREDNS: writes go.mod and go.sum of kube/ and coredns/ for other versions, e.g.
# pin.sh 1.34.4 1.14.7. Kubernetes 1.34 is the last that runs on cgroup v1 without further settings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
kube=$1 coredns=$2

mkdir -p kube coredns
# Kubernetes names its own libraries by paths in its repository; published, each is a module.
theirs=$(cd /tmp && go mod download -json "k8s.io/kubernetes@v$kube" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
{
  printf 'module etcdpp/testbed/kube\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$kube"
  sed -n "s#^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging.*#\t\1 => \1 v0.${kube#1.}#p" "$theirs"
  printf ')\n'
} >kube/go.mod
{
  printf '//go:build tools\n\n// Package tools names the programs that the testbed builds.\npackage tools\n\nimport (\n'
  for name in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet; do
    printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$name"
  done
  printf ')\n'
} >kube/tools.go
printf 'module etcdpp/testbed/coredns\n\ngo 1.25\n\nrequire github.com/coredns/coredns v%s\n' "$coredns" >coredns/go.mod
rm -f kube/go.sum coredns/go.sum
(cd kube && go mod tidy)
(cd coredns && go mod tidy)
