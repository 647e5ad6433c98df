#!/usr/bin/env bash
# lint.sh [FOLDER...]: clang-tidy with .clang-tidy over the sources of the given folders (default:
# server). Version 19, which it installs: Debian 12's clang 14 does not have std::source_location.
set -euo pipefail
exec </dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if ! command -v clang-tidy-19 >/dev/null; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends clang-tidy-19 >/dev/null
fi

folders=("$@")
[ ${#folders[@]} -gt 0 ] || folders=(server)
# Generated headers must exist before a source that includes them can be parsed.
build release
mapfile -t sources < <(git ls-files "${folders[@]}" | grep '\.cc$')
# libstdc++ 12's std::stable_sort calls what C++17 has deprecated.
printf '%s\n' "${sources[@]}" |
  xargs -P "$CMAKE_BUILD_PARALLEL_LEVEL" -n 1 clang-tidy-19 -p build/release --quiet --extra-arg=-Wno-deprecated-declarations
echo "lint: ${#sources[@]} sources clean"
