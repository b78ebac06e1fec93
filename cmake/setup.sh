# Sourced by examples/run, tests/run and .ci/run: installs what is missing, configures and builds.
# Whatever happens here is told on standard error; standard output belongs to the program.

rewind_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# One Debian package a line and, where it is a tool, the command that shows that it is there
# already, from whatever package.
rewind_packages="
g++ g++
cmake cmake
ninja-build ninja
ccache ccache
gnuplot-nox gnuplot
libdnnl-dev
libeigen3-dev
libxsimd-dev
libfmt-dev
libboost-test-dev
libhdf5-dev
libxxhash-dev
libcli11-dev
nlohmann-json3-dev
pkgconf pkg-config
"
rewind_ci_packages="
clang clang++
clang-format clang-format
python3-h5py
python3-xxhash
"

# Prints those of the packages in $1 that are not installed.
rewind_missing_packages() {
  local package command libraries=() installed
  while read -r package command; do
    if [[ -n $command ]]; then
      command -v "$command" >/dev/null || echo "$package"
    elif [[ -n $package ]]; then
      libraries+=("$package")
    fi
  done <<<"$1"
  ((${#libraries[@]})) || return 0
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${libraries[@]}" 2>/dev/null || true)
  for package in "${libraries[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || echo "$package"
  done
}

# Makes sure that the packages listed in $1 are there. REWIND_SKIP_SETUP=1 trusts that they are.
rewind_install() {
  [[ -z ${REWIND_SKIP_SETUP:-} ]] || return 0
  if ! { command -v apt-get && command -v dpkg-query; } >/dev/null; then
    echo "This script installs packages on Debian only. Please install these yourself (the names" \
      "are Debian's), then call again with REWIND_SKIP_SETUP=1:" >&2
    awk 'NF { print "  " $1 }' <<<"$1" >&2
    exit 1
  fi
  local missing as_root=()
  mapfile -t missing < <(rewind_missing_packages "$1")
  ((${#missing[@]})) || return 0
  local install="apt-get install -y --no-install-recommends ${missing[*]}"
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing, and installing them needs root. As root, run:" >&2
      echo "  apt-get update && $install" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "Installing the Debian packages ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install -qq >&2
}

# rewind_build PRESET TARGET: builds one target in build/PRESET. Ninja itself configures again when
# a CMakeLists.txt or a folder's list of sources has changed.
rewind_build() {
  local build=$rewind_root/build/$1
  if [[ ! -f $build/build.ninja || $rewind_root/CMakePresets.json -nt $build/build.ninja ]]; then
    echo "Configuring build/$1" >&2
    (cd "$rewind_root" && cmake --preset "$1") >&2
  fi
  ninja -C "$build" "$2" >&2
}
