#!/usr/bin/env bash
# The NumPy reference checks itself, then the float64 build is compared with it on Cora.
#
#   tests/parity/run.sh [HALOGNN]     the program (build/float64/halognn)
. "$(dirname "$0")/../../scripts/common.sh"

halognn=${1:-$ROOT/build/float64/halognn}
cora=${SHARED_DATA:-$ROOT/../shared/data}/cora.npz
"$PYTHON" -c 'import numpy, scipy, h5py' || die "$PYTHON lacks numpy, scipy or h5py; run scripts/install_deps.sh --tests"
"$PYTHON" "$ROOT/tests/parity/gcn_reference.py"
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset float64 && cmake --build --preset float64"
if [ ! -f "$cora" ]; then
  say "skipped: $cora is not here (set SHARED_DATA)"
  exit 0
fi
"$PYTHON" "$ROOT/tests/parity/compare.py" "$halognn" "$cora"
