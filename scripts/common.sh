# Sourced by the other scripts: the repository's root and how compilers are called.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# ccache by environment, so that a fresh machine needs no configuration: paths relative to the
# root, and no rebuild for a checkout that only changed times.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root}
export CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-include_file_ctime,include_file_mtime,pch_defines,time_macros}
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}

# exclusively COMMAND [ARGUMENT...]: while no other script of this checkout runs such a command: three
# members may be started at once.
exclusively() (
  mkdir -p "$root/build"
  exec 9>"$root/build/.lock"
  flock 9
  "$@" 9>&-
)

# build PRESET [TARGET...]: configures and builds; without a target, all.
build() { exclusively build_now "$@"; }
build_now() {
  local preset=$1
  shift
  cmake --preset "$preset" >"$root/.build-log" 2>&1 || { cat "$root/.build-log"; return 1; }
  rm -f "$root/.build-log"
  ninja -C "build/$preset" -j "$CMAKE_BUILD_PARALLEL_LEVEL" "$@"
}
