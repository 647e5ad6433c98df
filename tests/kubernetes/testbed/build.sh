# Sourced by testbed.sh: the binaries, from the modules as they are published under their own names.
# kube/ and coredns/ pin them with their sums.

build() {
  "$here/../../../scripts/setup.sh" --kubernetes
  command -v go >/dev/null || die "needs Go 1.25 or newer"
  mkdir -p "$BIN"
  exec 9>"$BIN/lock"
  flock 9
  local command tools
  for command in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
    go_build kube "$command" "k8s.io/kubernetes/cmd/$command"
  done
  go_build coredns coredns .
  tools=$("$here/../tools.sh")
  install -m 755 "$tools/helm" "$tools/kubectl" "$BIN/"
  [ -f "$BIN/pause.tar" ] || build_pause
}

# go_build MODULE NAME PACKAGE: again only when the pins have changed.
go_build() {
  local module=$1 name=$2 package=$3 stamp flags="-s -w" version
  version=$(sed -n 's/^require k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' "$here/$module/go.mod")
  if [ -n "$version" ]; then  # else it calls itself v0.0.0, and charts and clients refuse it
    local at=k8s.io/component-base/version
    flags+=" -X $at.gitVersion=v$version -X $at.gitMajor=1 -X $at.gitMinor=$(cut -d. -f2 <<<"$version")"
  fi
  stamp=$( { echo "$flags"; cat "$here/$module/go.mod" "$here/$module/go.sum"; } | sha256sum | cut -c1-16)
  [ "$(cat "$BIN/$name.stamp" 2>/dev/null)" != "$stamp" ] || return 0
  say "building $name"
  (cd "$here/$module" && GOFLAGS=-mod=readonly go build -o "$BIN/$name" -ldflags "$flags" "$package")
  echo "$stamp" >"$BIN/$name.stamp"
}

# The container that holds a pod's namespaces: waits, reaps, ends when told to.
build_pause() {
  local work
  work=$(mktemp -d)
  cat >"$work/pause.c" <<'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s) { (void)s; _exit(0); }
static void reap(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
C
  gcc -static -Os -o "$work/pause" "$work/pause.c"
  python3 "$here/scratch_image.py" localhost/pause:1 "$work/pause" /pause "$BIN/pause.tar"
  rm -rf "$work"
}
