#!/usr/bin/env bash
# image.sh build [OPTIONS] [etcd|etcd-operator]: makes a container image (default: etcd).
#   --prebuilt DIR   take the binaries of DIR, built on Debian 12 (default: build/release/bin)
#   --from-source    compile in the image's own build stage instead
#   --name NAME      name and tag (default: localhost/<image>:dev)
#   --out FILE.tar   also write a docker-archive
#   --tool TOOL      docker or buildah (default: docker when its daemon answers, else buildah)
# With buildah it needs root and no daemon: layers are plain folders, RUN is a chroot, and the base is
# made by debootstrap once, from the mirror that this machine's apt uses.
#
# image.sh stage IMAGE BINARIES DIR: collects into DIR what an image adds to its base: binaries
# without debug information, the libraries they need, time zones, certificate authorities.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
name= out= labels=() context=
store=${XDG_CACHE_HOME:-$HOME/.cache}/etcdpp-image
suite=bookworm
base=debian:12-slim

die() { echo "image.sh: $*" >&2; exit 1; }

programs_of() {
  case $1 in
    etcd) echo etcd etcdctl etcdutl ;;
    etcd-operator) echo etcd-operator etcd-operator-worker etcdutl ;;
    *) die "there is no image $1" ;;
  esac
}

# Libraries of the C and C++ run time belong to the base.
libraries_of() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -vE '/(ld-linux[^/]*|libc|libm|libgcc_s|libstdc\+\+|libpthread|libdl|librt|libresolv)\.so[^/]*$'
}

stage() {
  local image=$1 binaries=$2 dir=$3 program library staged=()
  local libraries=$dir/usr/lib/$(uname -m)-linux-gnu  # searched without a cache of ld.so
  [ -x "$binaries/$image" ] || die "no $image in $binaries"
  rm -rf "$dir"
  install -d "$dir/usr/local/bin" "$libraries" "$dir/etc/ssl/certs" "$dir/usr/share"
  for program in $(programs_of "$image"); do
    [ -x "$binaries/$program" ] || continue
    strip -o "$dir/usr/local/bin/$program" "$binaries/$program"
    chmod 755 "$dir/usr/local/bin/$program"
    staged+=("$binaries/$program")
  done
  # Until the project has an etcdctl of its own, Debian's is in its place.
  if [ "$image" = etcd ] && [ ! -e "$dir/usr/local/bin/etcdctl" ] && [ -x /usr/bin/etcdctl ]; then
    install -m 755 /usr/bin/etcdctl "$dir/usr/local/bin/etcdctl"
  fi
  for library in $(libraries_of "${staged[@]}"); do
    install -m 644 "$library" "$libraries/$(basename "$library")"
  done
  cp -a /usr/share/zoneinfo "$dir/usr/share/"
  # The distribution's authorities only, not what was added to this machine.
  cat /usr/share/ca-certificates/mozilla/*.crt >"$dir/etc/ssl/certs/ca-certificates.crt"
}

buildah_here() { buildah --root "$store/layers" --runroot "$store/run" --storage-driver vfs "$@"; }

make_base() {
  ! buildah_here inspect --type image "localhost/$base" >/dev/null 2>&1 || return 0
  local tree=$store/base mirror container
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
  [ -n "$mirror" ] || die "apt knows no mirror of $suite"
  rm -rf "$tree"
  mkdir -p "$store"
  debootstrap --variant=minbase "$suite" "$tree" "$mirror" >"$store/debootstrap.log" 2>&1 ||
    die "debootstrap failed, see $store/debootstrap.log"
  rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/log/* "$tree"/dev/* \
    "$tree"/usr/share/{doc,man,info,locale}/*
  container=$(buildah_here from scratch)
  buildah_here add -q "$container" "$tree" / >/dev/null
  buildah_here commit -q --rm "$container" "localhost/$base" >/dev/null
  rm -rf "$tree"
}

with_buildah() {  # TARGET CONTEXT
  make_base
  buildah_here bud -q --isolation chroot --build-arg "BASE=localhost/$base" --target "$1" \
    -f "$root/Dockerfile" -t "$name" "${labels[@]}" "$2" >/dev/null
  # What the name stood for before: every image is a whole copy here. Other builds may be at work.
  buildah_here rmi --prune >/dev/null 2>&1 || true
  [ -z "$out" ] || { rm -f "$out"; buildah_here push -q "$name" "docker-archive:$out:$name" >/dev/null; }
}

with_docker() {
  docker build -q --target "$1" -f "$root/Dockerfile" -t "$name" "${labels[@]}" "$2" >/dev/null
  [ -z "$out" ] || docker save -o "$out" "$name"
}

build_image() {
  local image=etcd prebuilt=$root/build/release/bin source= tool=
  while [ $# -gt 0 ]; do
    case $1 in
      --prebuilt) prebuilt=$2; shift 2 ;;
      --from-source) source=1; shift ;;
      --name) name=$2; shift 2 ;;
      --out) out=$(realpath -m "$2"); shift 2 ;;
      --tool) tool=$2; shift 2 ;;
      -*) die "unknown option $1" ;;
      *) image=$1; shift ;;
    esac
  done
  name=${name:-localhost/$image:dev}
  [ -n "$tool" ] || { docker info >/dev/null 2>&1 && tool=docker || tool=buildah; }
  labels=(--label "org.opencontainers.image.title=$image"
    --label "org.opencontainers.image.revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)")
  if [ -n "$source" ]; then
    "with_$tool" "$image" "$root"
  else
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    stage "$image" "$(realpath "$prebuilt")" "$context/root"
    "with_$tool" "$image-prebuilt" "$context/root"
  fi
  echo "$name"
}

verb=${1:-}
shift || true
case $verb in
  build) build_image "$@" ;;
  stage) stage "$@" ;;
  *) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" ;;
esac
