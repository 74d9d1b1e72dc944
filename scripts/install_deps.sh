#!/usr/bin/env bash
# Installs the Debian packages that HaloGNN needs, as root or by sudo. Does nothing when all of them are there.
#
#   scripts/install_deps.sh [--build]     what building and running needs (default)
#   scripts/install_deps.sh --tests       that, and what scripts/test.sh needs
#   scripts/install_deps.sh --molecules   only what scripts/molecules_to_npz.py needs (25 MB to fetch, 125 MB on the disk)
#   scripts/install_deps.sh --list        prints the packages of --tests and installs nothing
. "$(dirname "$0")/common.sh"

build=(build-essential cmake ninja-build pkg-config openmpi-bin libopenmpi-dev libmetis-dev libptscotch-dev libopenblas-pthread-dev
  libzmq3-dev libhdf5-dev libyaml-dev libjansson-dev libzip-dev zlib1g-dev librandom123-dev gnuplot-nox python3 curl ca-certificates)
tests=(libcriterion-dev python3-numpy python3-scipy python3-h5py hdf5-tools clang-14 clang-format-14 clang-tidy-14 cppcheck
  libclang-rt-14-dev libomp-14-dev valgrind iproute2)

molecules=(python3-rdkit python3-numpy)

missing_of() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# may_be_root: sets as_root, the words in front of a command that root must run; ends with a reason when this user may not
may_be_root() {
  local by_hand="as root run: apt-get install --no-install-recommends ${missing[*]}"
  as_root=()
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null || die "not root, and there is no sudo; $by_hand"
  as_root=(sudo)
  [ -t 0 ] || as_root=(sudo -n)
  "${as_root[@]}" true || die "sudo does not let this user in$([ -t 0 ] || echo ' (it wants a password, and there is no terminal)'); $by_hand"
}

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }

install() {
  command -v apt-get >/dev/null || die "no apt-get here: this script knows Debian 12 and its relatives. Install what these packages hold: ${missing[*]}"
  may_be_root
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log
  log=$(mktemp)
  # An update that fails is no reason to stop: the lists on the disk may do.
  apt update >"$log" 2>&1 || say "warning: apt-get update failed; using the package lists that are here"
  if ! apt install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}; the lines above say why. Is the network up, and is this Debian 12?"
  fi
  rm -f "$log"
}

case "${1:---build}" in
  --build) wanted=("${build[@]}") ;;
  --tests) wanted=("${build[@]}" "${tests[@]}") ;;
  --molecules) wanted=("${molecules[@]}") ;;
  --list)
    printf '%s\n' "${build[@]}" "${tests[@]}"
    exit 0
    ;;
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
  *) die "unknown option '$1'; --build, --tests, --molecules or --list" ;;
esac

if command -v dpkg-query >/dev/null; then mapfile -t missing < <(missing_of "${wanted[@]}"); else missing=("${wanted[@]}"); fi
if [ "${#missing[@]}" -eq 0 ]; then
  say "all ${#wanted[@]} packages are installed"
else
  install
  say "installed ${#missing[@]} packages"
fi
