#!/usr/bin/env bash
# Trains experiments and prints the tables of docs/results.md, a line each.
#
#   scripts/results.sh DATA_DIR [NAME...]      names: cora photo coauthor_cs dblp facebook; minesweeper california openflights geometric esol bbbp,
#                                              of these also NAME_mlp NAME_gcn_positions NAME_geogcn; mnist_superpixels
#                                              mnist_superpixels_tuned mnist_full mnist_grid
#
# DATA_DIR holds the npz files, and the idx files of MNIST in raw/mnist (../shared/data). RANKS (2) is the number of ranks, HALOGNN the program (build/release/halognn).
# Runs go to runs/results_NAME, graph files to data/. TRAIN_OPTIONS is added to each `halognn train`.
. "$(dirname "$0")/common.sh"

[ "$#" -gt 0 ] && [ -d "$1" ] || die "usage: results.sh DATA_DIR [NAME...]"
data=$1
shift
if [ "$#" -eq 0 ]; then
  set -- cora photo coauthor_cs dblp facebook
  for name in california minesweeper openflights geometric esol bbbp; do
    set -- "$@" "$name" "${name}_mlp" "${name}_gcn_positions" "${name}_geogcn"
  done
  set -- "$@" mnist_superpixels mnist_superpixels_tuned mnist_full mnist_grid
fi
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
read -r -a options <<<"${TRAIN_OPTIONS:-}"

prepare() { # prepare NAME: makes or imports the graph of an experiment
  local file=$1 flags=() output=$ROOT/data/$1.hg
  case "$1" in
    geometric)
      "$halognn" generate geometric --nodes 3000 --degree 10 --knn --classes 8 --features 8 --signal 0.1 --train 0.1 --val 0.3 -o "$output" >&2
      return
      ;;
    mnist_full)
      "$halognn" import mnist-idx "$data/raw/mnist" -o "$output" >&2
      return
      ;;
    mnist_grid)
      "$halognn" import mnist-idx "$data/raw/mnist" --graph grid --limit 6000 -o "$output" >&2
      return
      ;;
    photo) file=amazon_photo flags=(--symmetrize) ;;
    facebook) file=musae_facebook ;;
    california) file=california_housing ;;
  esac
  "$halognn" import npz "$data/$file.npz" -o "$output" "${flags[@]}" >&2
}

graph_of() { # graph_of NAME: without the suffix that names a model
  local name=${1%_geogcn}
  name=${name%_mlp}
  name=${name%_tuned}
  echo "${name%_gcn_positions}"
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
digits = 0 if mean >= 100 else 3
score = f"{mean:.1f} ± {std:.1f} %" if percent else f"{mean:,.{digits}f} ± {std:,.{digits}f}"
print(f"| {name} | {metric} | {score} | {s['repeats']} | {s['ranks']} x {s['threads']} | {1e3 * s['epoch_seconds_median']:.3g} ms "
      f"| {s['halo_bytes_per_epoch'] / 1024:.0f} KiB | {s['peak_rss_bytes'] / 2**20:.0f} MiB |")
PYTHON
}

mkdir -p "$ROOT/data"
echo '| experiment | metric | test, at the best validation epoch | seeds | ranks x threads | epoch | halo an epoch | resident |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- |'
for name in "$@"; do
  prepare "$(graph_of "$name")"
  config=configs/$name.yaml
  [ -f "$ROOT/$config" ] || config=configs/${name}_gcn.yaml
  (cd "$ROOT" && OMP_NUM_THREADS=1 scripts/mpirun.sh -q -n "${RANKS:-2}" "$halognn" train "$config" --quiet \
    --output "runs/results_$name" "${options[@]}" >/dev/null) || die "$name failed"
  row "$name"
done
