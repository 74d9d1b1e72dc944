# shellcheck shell=bash
# What every script here shares. Source it: . "$(dirname "$0")/common.sh"
set -euo pipefail

# The root of the source tree, whatever the working directory is.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The system's Python, where Debian's NumPy and h5py are; a pyenv or conda one in the PATH lacks them.
PYTHON=${PYTHON:-/usr/bin/python3}

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

# cores: how many this process may use: of its mask (nproc alone would answer OMP_NUM_THREADS) and of its container's CPU quota
cores() {
  local mask quota
  mask=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
  quota=$(awk '$1 > 0 && $2 > 0 { n = int($1 / $2); print n > 1 ? n : 1 }' /sys/fs/cgroup/cpu.max 2>/dev/null || true)
  if [ -n "$quota" ] && [ "$quota" -lt "$mask" ]; then echo "$quota"; else echo "$mask"; fi
}

# usage_of FILE: the comment at the head of a script is its help text
usage_of() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }
