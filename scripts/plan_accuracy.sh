#!/usr/bin/env bash
# Epoch times that `halognn plan` predicts beside those that `halognn bench epoch` measures, as a Markdown table for docs/performance.md.
#
#   scripts/plan_accuracy.sh [--repeat N] [--seconds S] [NAME...]
#
# For each graph: 1 rank of 1 thread, 1 rank of 2, 2 ranks of 1 on this machine. Prediction and run take turns, N times (3), S seconds each (2).
# NAME: configs/NAME_gcn.yaml, whose data/NAME.hg is here. Default: cora photo coauthor_cs arxiv_like reddit_like. On a quiet machine.
# HALOGNN is the program (build/release/halognn).
. "$(dirname "$0")/common.sh"
cd "$ROOT"

repeat=3
seconds=2
names=()
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help)
      usage_of "$0"
      exit 0
      ;;
    --repeat | --seconds)
      [ "$#" -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    -*) die "unknown option '$1'" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ "${#names[@]}" -gt 0 ] || names=(cora photo coauthor_cs arxiv_like reddit_like)
for name in "${names[@]}"; do
  [ -f "configs/${name}_gcn.yaml" ] || die "there is no configs/${name}_gcn.yaml"
  [ -f "data/$name.hg" ] || die "data/$name.hg is missing: configs/${name}_gcn.yaml says how to make it"
done
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { # run FILE COMMAND...
  local file=$1
  shift
  "$@" >"$work/$file.json" 2>"$work/error" || die "$*: $(tail -n 1 "$work/error")"
}
for name in "${names[@]}"; do
  config=configs/${name}_gcn.yaml
  for shape in 1x1 1x2 2x1; do
    ranks=${shape%x*} threads=${shape#*x}
    for round in $(seq "$repeat"); do
      run "$name.$shape.$round.plan" "$halognn" plan "$config" -k "$ranks" --ranks-per-host "$ranks" --threads "$threads" --seconds "$seconds" --json
      run "$name.$shape.$round.run" scripts/mpirun.sh -n "$ranks" "$halognn" bench epoch "$config" --threads "$threads" --seconds "$seconds" --json
    done
  done
done
"$PYTHON" scripts/plan_table.py "$work" "${names[@]}"
