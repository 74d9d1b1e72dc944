#!/usr/bin/env bash
# Whole epochs beside the same model in plain PyTorch, as Markdown tables for docs/performance.md.
#
#   scripts/bench_all.sh [--repeat N] [--threads "1 2"] [--seconds S] [--set KEY=VALUE]... [NAME...]
#
# Names: arxiv_like reddit_like reddit_full products_like (generated where they are missing), cora photo coauthor_cs (import them to data/NAME.hg
# first). Default: arxiv_like. The two programs take turns, N times (3), S seconds each (5); a line gives the medians of those turns. The first
# layer has no input dropout, so that both may aggregate constant features once; no norm. --set changes HaloGNN's config alone, as
# model.recompute=true. PyTorch's activations of products_like do not fit in 24 GiB: HaloGNN runs alone. HALOGNN is the program
# (build/release/halognn).
. "$(dirname "$0")/common.sh"
cd "$ROOT"

repeat=3
threads="1 2"
seconds=5
names=()
changes=()
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help)
      usage_of "$0"
      exit 0
      ;;
    --repeat | --threads | --seconds)
      [ "$#" -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --set)
      [ "$#" -ge 2 ] || die "$1 needs KEY=VALUE"
      changes+=(--set "$2")
      shift
      ;;
    arxiv_like | reddit_like | reddit_full | products_like | cora | photo | coauthor_cs) names+=("$1") ;;
    *) die "no graph '$1'; there are: arxiv_like reddit_like reddit_full products_like cora photo coauthor_cs" ;;
  esac
  shift
done
[ "${#names[@]}" -gt 0 ] || names=(arxiv_like)
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
[ "${names[*]}" = products_like ] || "$PYTHON" -c 'import torch, h5py, yaml' 2>/dev/null || die "PyTorch is missing; as root: apt-get install python3-torch python3-h5py python3-yaml"

prepare() { # prepare NAME: the graph file, by the command at the head of its config
  [ -f "data/$1.hg" ] && return
  case "$1" in
    arxiv_like | reddit_like | reddit_full | products_like) "$halognn" $(sed -n 's/^# *halognn \(generate .*\)/\1/p' "configs/$1_gcn.yaml") >&2 ;;
    *) die "data/$1.hg is missing: halognn import npz FILE.npz -o data/$1.hg" ;;
  esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in "${names[@]}"; do
  prepare "$name"
  config=configs/${name}_gcn.yaml
  same=(--set model.norm=none --set model.input_dropout=0 --set "dataset.path=data/$name.hg")
  "$halognn" config "$config" "${same[@]}" >"$work/config.yaml"
  for t in $threads; do
    for round in $(seq "$repeat"); do
      "$halognn" bench epoch "$config" "${same[@]}" "${changes[@]}" --threads "$t" --seconds "$seconds" --json >"$work/$name.$t.$round.halognn.json" 2>"$work/error" ||
        die "halognn bench epoch: $(tail -n 1 "$work/error")"
      [ "$name" = products_like ] && continue
      "$PYTHON" bench/peers/gcn_torch.py "$work/config.yaml" --cached --threads "$t" --seconds "$seconds" >"$work/$name.$t.$round.torch.json" 2>"$work/error" ||
        die "gcn_torch.py: $(tail -n 1 "$work/error")"
    done
  done
done
"$PYTHON" scripts/bench_table.py "$work" "${names[@]}"
