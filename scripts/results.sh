#!/usr/bin/env bash
# Trains the experiments on real graphs and prints the table of docs/results.md, a line each.
#
#   scripts/results.sh DATA_DIR [NAME...]        names: cora photo coauthor_cs dblp facebook minesweeper california,
#                                              and minesweeper_geogcn california_geogcn openflights_geogcn
#
# DATA_DIR holds the npz files (../shared/data). RANKS (2) is the number of ranks, HALOGNN the program (build/release/halognn).
# Runs go to runs/results_NAME, graph files to data/. TRAIN_OPTIONS is added to each `halognn train`.
. "$(dirname "$0")/common.sh"

[ "$#" -gt 0 ] && [ -d "$1" ] || die "usage: results.sh DATA_DIR [NAME...]"
data=$1
shift
[ "$#" -gt 0 ] || set -- cora photo coauthor_cs dblp facebook minesweeper california minesweeper_geogcn california_geogcn openflights_geogcn
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
read -r -a options <<<"${TRAIN_OPTIONS:-}"

import() { # import NAME: what is read for an experiment, and how
  local file=$1 flags=()
  case "$1" in
    photo) file=amazon_photo flags=(--symmetrize) ;;
    facebook) file=musae_facebook ;;
    california) file=california_housing ;;
  esac
  "$halognn" import npz "$data/$file.npz" -o "$ROOT/data/$1.hg" "${flags[@]}" >&2
}

row() { # row NAME: a line of the table from the run's summary
  "$PYTHON" - "$1" "$ROOT/runs/results_$1/summary.json" <<'PYTHON'
import json, sys
name, path = sys.argv[1:]
s = json.load(open(path))
metric = s["metric"]
percent = metric != "rmse"
scale = 100 if percent else 1
mean, std = s[f"test_{metric}_mean"] * scale, s[f"test_{metric}_std"] * scale
score = f"{mean:.1f} ± {std:.1f} %" if percent else f"{mean:,.0f} ± {std:,.0f}"
print(f"| {name} | {metric} | {score} | {s['repeats']} | {s['ranks']} x {s['threads']} | {1e3 * s['epoch_seconds_median']:.3g} ms "
      f"| {s['halo_bytes_per_epoch'] / 1024:.0f} KiB | {s['peak_rss_bytes'] / 2**20:.0f} MiB |")
PYTHON
}

mkdir -p "$ROOT/data"
echo '| experiment | metric | test, at the best validation epoch | seeds | ranks x threads | epoch | halo an epoch | resident |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- |'
for name in "$@"; do
  import "${name%_geogcn}"
  config=configs/$name.yaml
  [ -f "$ROOT/$config" ] || config=configs/${name}_gcn.yaml
  (cd "$ROOT" && OMP_NUM_THREADS=1 scripts/mpirun.sh -q -n "${RANKS:-2}" "$halognn" train "$config" --quiet \
    --output "runs/results_$name" "${options[@]}" >/dev/null) || die "$name failed"
  row "$name"
done
