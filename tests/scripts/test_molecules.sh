#!/usr/bin/env bash
# scripts/molecules_to_npz.py: molecules of SMILES become the graphs that they should, and bad rows and files are named.
. "$(dirname "$0")/../../scripts/common.sh"
. "$(dirname "$0")/expect.sh"
cd "$ROOT"

if ! "$PYTHON" -c 'import numpy, rdkit' 2>/dev/null; then
  say "skipped: no numpy and rdkit for $PYTHON (scripts/install_deps.sh --molecules)"
  exit 0
fi

convert() { expect "$1" "$2" "$PYTHON" scripts/molecules_to_npz.py "${@:3}"; }
# holds FILE EXPRESSION: true of the arrays `a` of the file (and, with a second file, `b`)
holds() {
  expect 0 '' "$PYTHON" -c "
import sys, numpy as np
a, b = np.load(sys.argv[1]), (np.load(sys.argv[3]) if len(sys.argv) > 3 else None)
assert $2, sys.argv[2]" "$@"
}

printf 'name,smiles,y\nwater,O,0.5\nethanol,CCO ,-1\nbad,C1CC,2\ncut\nnothing,C,\nunknown,C,nan\nphosphorus pentafluoride,FP(F)(F)(F)F,1e1\nsalt,[Na+].[Cl-],3\n' >"$work/some.csv"
convert 0 '4 molecules, 12 atoms, 14 edges, 4 rows left out, split 2/1/1' "$work/some.csv" --task regression --fractions 0.5 0.25 -o "$work/some.npz"
for said in "some.csv: line 4: 'C1CC' is no SMILES: left out" 'line 5: the target is missing' 'line 6: the target is missing' 'line 7: the target is nan'; do
  convert 0 "$said" "$work/some.csv" --task regression -o "$work/again.npz"
done
holds "$work/some.npz" 'a["csv_row"].tolist() == [0, 1, 6, 7] and a["y"].tolist() == [0.5, -1, 10, 3]'
holds "$work/some.npz" 'a["node_ptr"].tolist() == [0, 1, 4, 10, 12] and a["edge_ptr"].tolist() == [0, 0, 4, 14, 14]'
holds "$work/some.npz" 'a["edge_index"][:, :4].tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]] and a["bond_type"].tolist() == [1] * 14'
# water's oxygen: no neighbour, two hydrogens; phosphorus: five neighbours; sodium: another element, charge 1
holds "$work/some.npz" 'np.flatnonzero(a["x"][0]).tolist() == [3, 11, 19] and np.flatnonzero(a["x"][5]).tolist() == [5, 16, 17]'
holds "$work/some.npz" 'np.flatnonzero(a["x"][10]).tolist() == [10, 11, 17, 22] and a["x"][11, 22] == -1'
holds "$work/some.npz" 'abs(np.linalg.norm(a["pos"][1] - a["pos"][2]) - 1.51) < 0.04 and np.isfinite(a["pos"]).all()'
holds "$work/some.npz" 'sorted(np.concatenate([a[s + "_idx"] for s in ("train", "val", "test")])) == [0, 1, 2, 3]'
convert 0 '' "$work/some.csv" --task regression --fractions 0.5 0.25 -o "$work/again.npz"
expect 0 '' cmp "$work/some.npz" "$work/again.npz"
expect 0 '' "$PYTHON" -c "import sys; sys.exit(any('.tmp' in name for name in __import__('os').listdir('$work')))"

data=../shared/data
if [ -f "$data/esol.npz" ] && [ -f "$data/raw/molecules/esol_test.csv" ]; then
  head -n 16 "$data/raw/molecules/esol_test.csv" >"$work/esol.csv"
  head -n 2 "$work/esol.csv" >"$work/one.csv"
  convert 0 'one.npz: 17 molecules' --train "$work/esol.csv" --val "$work/one.csv" --test "$work/one.csv" --task regression -o "$work/one.npz"
  # The reference is another converter's, with other conformers: the test molecules are its last 113, from number 1015 on.
  holds "$work/one.npz" 'np.array_equal(a["x"][:a["node_ptr"][15]], b["x"][b["node_ptr"][1015]:b["node_ptr"][1030]])' "$data/esol.npz"
  holds "$work/one.npz" 'np.array_equal(a["edge_index"][:, :a["edge_ptr"][15]], b["edge_index"][:, b["edge_ptr"][1015]:b["edge_ptr"][1030]])' "$data/esol.npz"
  holds "$work/one.npz" 'np.array_equal(a["bond_type"][:a["edge_ptr"][15]], b["bond_type"][b["edge_ptr"][1015]:b["edge_ptr"][1030]])' "$data/esol.npz"
  holds "$work/one.npz" 'np.array_equal(a["y"][:15], b["y"][1015:1030]) and all(a[k].dtype == b[k].dtype for k in b.files)' "$data/esol.npz"
  holds "$work/one.npz" 'a["train_idx"].tolist() == list(range(15)) and a["val_idx"].tolist() == [15] and a["test_idx"].tolist() == [16]'
fi

printf 'smiles,y\nCC,1\nCO,0\n' >"$work/classes.csv"
printf 'smiles,y\nC1CC,1\n' >"$work/none.csv"
printf 'smiles,y\nC\xff,1\n' >"$work/latin.csv"
printf 'smiles,y\nFS(F)(F)F,1\n' >"$work/tetrafluoride.csv"
convert 0 'line 2: UFF has no parameters for an atom of it: the embedded positions are kept' "$work/tetrafluoride.csv" --task classes -o "$work/kept.npz"
holds "$work/kept.npz" 'a["x"].shape == (5, 25) and len(a["test_idx"]) + len(a["train_idx"]) == 1'
convert 0 '2 molecules' "$work/classes.csv" --task classes -o "$work/classes.npz"
holds "$work/classes.npz" 'a["y"].dtype == np.int64 and a["y"].tolist() == [1, 0]'
convert 2 "some.csv: line 2: found '0.5' as the target, expected a class 0, 1, ..." "$work/some.csv" --task classes -o "$work/bad.npz"
convert 2 "line 2: found 'water' as the target, expected a number" "$work/some.csv" --task regression --target-column name -o "$work/bad.npz"
convert 2 "some.csv: no column 'SMILES', expected one of: name, smiles, y" "$work/some.csv" --task regression --smiles-column SMILES -o "$work/bad.npz"
convert 2 'none.csv: no row could be converted' "$work/none.csv" --task classes -o "$work/bad.npz"
convert 2 'latin.csv: no csv file in UTF-8' "$work/latin.csv" --task classes -o "$work/bad.npz"
convert 2 'missing.csv: cannot read: No such file' "$work/missing.csv" --task classes -o "$work/bad.npz"
convert 2 "cannot write: No such file" "$work/classes.csv" --task classes -o "$work/no/bad.npz"
convert 2 'either one FILE.csv, or --train, --val and --test' --train "$work/classes.csv" --task classes -o "$work/bad.npz"
convert 2 'a sum of at most 1' "$work/classes.csv" --task classes --fractions 0.9 0.2 -o "$work/bad.npz"
expect 1 '' test -e "$work/bad.npz"
summary
