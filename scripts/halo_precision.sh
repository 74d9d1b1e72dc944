#!/usr/bin/env bash
# What each halo.precision costs in accuracy and saves in bytes: the tables of docs/communication.md, a line each.
#
#   scripts/halo_precision.sh DATA_DIR [NAME...]      names: cora photo coauthor_cs facebook
#
# DATA_DIR holds the npz files (../shared/data). Trains configs/NAME_gcn.yaml with SEEDS (5) seeds on RANKS (4) ranks of one thread, once for
# each word of PRECISIONS (float32 float32@3 bfloat16 int8 int4 int2). int4+feedback adds halo.error_feedback; float32@3 runs on 3 ranks, which
# rounds sums otherwise and nothing else. Prints the test accuracy of the first word, mean and deviation over seeds; the others' differences
# to it, seed by seed, with the standard error of their mean; and KiB an epoch of each. HALOGNN is the program (build/release/halognn). Runs go
# to runs/halo_NAME_PRECISION, graph files to data/. TRAIN_OPTIONS is added to each `halognn train`.
. "$(dirname "$0")/common.sh"

case "${1:-}" in
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
esac
[ "$#" -gt 0 ] && [ -d "$1" ] || die "usage: halo_precision.sh DATA_DIR [NAME...]"
data=$(cd "$1" && pwd)
shift
[ "$#" -gt 0 ] || set -- cora photo coauthor_cs facebook
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
read -r -a options <<<"${TRAIN_OPTIONS:-}"
read -r -a precisions <<<"${PRECISIONS:-float32 float32@3 bfloat16 int8 int4 int2}"

prepare() { # prepare NAME: imports the graph of an experiment
  local file=$1 flags=()
  case "$1" in
    photo) file=amazon_photo flags=(--symmetrize) ;;
    facebook) file=musae_facebook ;;
  esac
  [ -f "data/$1.hg" ] || "$halognn" import npz "$data/$file.npz" -o "data/$1.hg" "${flags[@]}" >&2
}

row() { # row NAME: a line of the table from the runs' summaries
  "$PYTHON" - "$1" "${precisions[@]}" <<'PYTHON'
import json, statistics, sys
name, words = sys.argv[1], sys.argv[2:]
runs = [json.load(open(f"runs/halo_{name}_{word}/summary.json")) for word in words]
scores = [[100 * r["test_accuracy"] for r in s["repeat_results"]] for s in runs]
cells = [f"{statistics.mean(scores[0]):.2f} ± {statistics.pstdev(scores[0]):.2f}"]
for score in scores[1:]:
    gains = [b - a for a, b in zip(scores[0], score)]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    cells.append(f"{statistics.mean(gains):+.2f} ± {error:.2f}")
print(f"| {name} | {' | '.join(cells)} | {' / '.join(str(round(s['halo_bytes_per_epoch'] / 1024, 1)) for s in runs)} |", flush=True)
PYTHON
}

cd "$ROOT"
mkdir -p data
printf '| experiment |%s KiB an epoch |\n| --- |%s --- |\n' "$(printf ' %s |' "${precisions[@]}")" "$(printf ' --- |%.0s' "${precisions[@]}")"
for name in "$@"; do
  prepare "$name"
  for word in "${precisions[@]}"; do
    ranks=${RANKS:-4} precision=${word%@*} feedback=false
    [ "$word" = "$precision" ] || ranks=${word#*@}
    [ "$precision" = "${precision%+feedback}" ] || feedback=true
    OMP_NUM_THREADS=1 scripts/mpirun.sh -q -n "$ranks" "$halognn" train "configs/${name}_gcn.yaml" --quiet --threads 1 \
      --output "runs/halo_${name}_$word" --set "repeat=${SEEDS:-5}" --set "halo.precision=${precision%+feedback}" \
      --set "halo.error_feedback=$feedback" "${options[@]}" >/dev/null || die "$name with $word failed"
  done
  row "$name"
done
