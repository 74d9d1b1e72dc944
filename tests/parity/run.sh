#!/usr/bin/env bash
# The NumPy references check themselves, then the float64 build is compared with them: GCN on Cora, geo-GCN on
# OpenFlights, on random graphs and on collections of them. GCN is compared with bench/peers/gcn_torch.py too.
#
#   tests/parity/run.sh [HALOGNN]     the program (build/float64/halognn)
. "$(dirname "$0")/../../scripts/common.sh"

halognn=$(realpath -m "${1:-$ROOT/build/float64/halognn}")
data=$(realpath -m "${SHARED_DATA:-$ROOT/../shared/data}")
"$PYTHON" -c 'import numpy, scipy, h5py' || die "$PYTHON lacks numpy, scipy or h5py; run scripts/install_deps.sh --tests"
cd "$ROOT/tests/parity"
"$PYTHON" gcn_reference.py
"$PYTHON" geogcn_reference.py
"$PYTHON" geogcn_graphs_reference.py
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset float64 && cmake --build --preset float64"
if [ -f "$data/cora.npz" ] && [ -f "$data/openflights.npz" ]; then
  "$PYTHON" compare_gcn.py "$halognn" "$data/cora.npz"
  "$PYTHON" compare_torch.py "$halognn" "$data/cora.npz"
  "$PYTHON" compare_geogcn.py "$halognn" "$data/openflights.npz"
else
  say "skipped: cora.npz or openflights.npz is not in $data (set SHARED_DATA)"
  "$PYTHON" compare_geogcn.py "$halognn"
fi
