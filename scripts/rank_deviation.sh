#!/usr/bin/env bash
# How far runs on several ranks depart from the run on one rank: the largest relative difference of the training loss.
#
#   scripts/rank_deviation.sh CONFIG [RANKS...]      usage: rank_deviation.sh configs/cora_gcn.yaml 2 3 4 7 8
#
# For each number of ranks and each of metis, random and block, over EPOCHS (100) epochs of one seed with the config's dropout.
# HALOGNN is the program (build/release/halognn; losses are printed with nine digits, which bounds what the float64 build shows).
. "$(dirname "$0")/common.sh"

[ "$#" -gt 0 ] && [ -f "$1" ] || die "usage: rank_deviation.sh CONFIG [RANKS...]"
config=$1
shift
[ "$#" -gt 0 ] || set -- 2 3 4 7 8
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

train() { # train RANKS METHOD
  OMP_NUM_THREADS=1 "$ROOT/scripts/mpirun.sh" -q -n "$1" "$halognn" train "$config" --quiet --output "$work/$1_$2" --set "partition.method=$2" \
    --set repeat=1 --set "train.epochs=${EPOCHS:-100}" --set train.patience=0 --set train.evaluate_every="${EPOCHS:-100}" >/dev/null ||
    die "$2 on $1 ranks failed"
}

train 1 metis
printf '%-8s %-8s %s\n' ranks method 'largest relative difference of the training loss'
for ranks in "$@"; do
  for method in metis random block; do
    train "$ranks" "$method"
    "$PYTHON" - "$ranks" "$method" "$work/1_metis/metrics.jsonl" "$work/${ranks}_$method/metrics.jsonl" <<'PYTHON'
import json, sys
ranks, method, one, many = sys.argv[1:]
losses = [[json.loads(line)["train_loss"] for line in open(path)] for path in (one, many)]
assert len(losses[0]) == len(losses[1]) > 0
print(f"{ranks:8} {method:8} {max(abs(a - b) / abs(a) for a, b in zip(*losses)):.2e}")
PYTHON
  done
done
