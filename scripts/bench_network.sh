#!/usr/bin/env bash
# Epochs where the network is slow: a training run on hosts made of network namespaces, at several rates of their links. Prints a table.
#
#   scripts/bench_network.sh [--hosts "2 4"] [--ranks-per-host 1] [--rates "1gbit 100mbit"] [--repeat 3] [--epochs 10] CONFIG [TRAIN_OPTIONS...]
#
#   scripts/bench_network.sh configs/arxiv_like_gcn.yaml
#   scripts/bench_network.sh --rates 100mbit configs/arxiv_like_gcn.yaml --set halo.precision=int8
#
# Ranks have one thread each. The settings are run in turn, --repeat times; each column is the median of the epochs of all of them but
# each run's first two. exposed: a rank waited for halo rows; sums: it waited for sums of weight gradients; both are the largest of all ranks.
# Other programs of the machine lengthen what is computed, and so hide more: therefore the fastest epoch is shown beside the medians.
# The rate "none" leaves links as fast as memory. HALOGNN is the program (build/release/halognn). Needs root (tests/support/hosts.sh --check).
. "$(dirname "$0")/common.sh"

hosts="2 4" ranks=1 rates="1gbit 100mbit" repeat=3 epochs=10
value() { [ "$#" -gt 1 ] || die "$1 needs a value"; }
while [ "$#" -gt 0 ]; do
  case "$1" in
    --hosts) value "$@" && hosts=$2 && shift 2 ;;
    --ranks-per-host) value "$@" && ranks=$2 && shift 2 ;;
    --rates) value "$@" && rates=$2 && shift 2 ;;
    --repeat) value "$@" && repeat=$2 && shift 2 ;;
    --epochs) value "$@" && epochs=$2 && shift 2 ;;
    -h | --help) usage_of "$0" && exit 0 ;;
    -*) die "unknown option '$1'; --hosts, --ranks-per-host, --rates, --repeat or --epochs" ;;
    *) break ;;
  esac
done
[ "$#" -gt 0 ] || die 'usage: bench_network.sh [OPTIONS] CONFIG [TRAIN_OPTIONS...], for example configs/arxiv_like_gcn.yaml'
config=$1
shift
[ -f "$config" ] || die "$config: no such file"
case "$ranks" in '' | *[!0-9]* | 0) die "--ranks-per-host $ranks: expected a number of ranks" ;; esac
case "$repeat" in '' | *[!0-9]* | 0) die "--repeat $repeat: expected a number of runs" ;; esac
case "$epochs" in '' | *[!0-9]* | 0 | 1 | 2) die "--epochs $epochs: expected at least 3, since two are left out" ;; esac
halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
"$ROOT/tests/support/hosts.sh" --check || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1

train() { # train HOSTS RATE FOLDER TRAIN_OPTIONS...
  local n=$1 rate=$2 folder=$3 link=()
  shift 3
  [ "$rate" = none ] || link=(--rate "$rate")
  "$ROOT/tests/support/hosts.sh" --hosts "$n" "${link[@]}" -n "$((n * ranks))" "$halognn" train "$config" --quiet --threads 1 --output "$folder" \
    --set repeat=1 --set "train.epochs=$epochs" --set "train.evaluate_every=$epochs" "$@" >"$work/output" 2>&1 ||
    { cat "$work/output" >&2 && die "the run on $n hosts at $rate failed"; }
}

for ((k = 1; k <= repeat; k++)); do
  for rate in $rates; do
    for n in $hosts; do
      say "run $k of $repeat: $n hosts, $rate"
      train "$n" "$rate" "$work/$n.$rate.$k" "$@"
    done
  done
done
"$PYTHON" - "$work" "$hosts" "$rates" "$repeat" <<'END'
import json, statistics, sys
work, hosts, rates, repeat = sys.argv[1:]
print("| rate | hosts | epoch, s | under way, s | exposed, s | exposed / epoch | packing, s | sums, s | MB an epoch | fastest epoch, s | of it exposed |")
print("|" + " --- |" * 11)
for rate in rates.split():
    for n in hosts.split():
        lines = []
        for k in range(1, int(repeat) + 1):
            lines += [json.loads(line) for line in open(f"{work}/{n}.{rate}.{k}/metrics.jsonl")][2:]
        def median(of):
            return statistics.median(map(of, lines))
        share = median(lambda e: e["exposed_seconds"] / e["seconds"])
        fastest = min(lines, key=lambda e: e["seconds"])
        print(f"| {rate} | {n} | {median(lambda e: e['seconds']):.2f}"
              f" | {median(lambda e: e['communication_seconds']):.2f} | {median(lambda e: e['exposed_seconds']):.2f} | {100 * share:.0f} %"
              f" | {median(lambda e: e['packing_seconds']):.2f} | {median(lambda e: e['phases']['gradient_sum']):.2f}"
              f" | {lines[-1]['halo_bytes'] / 1e6:.1f} | {fastest['seconds']:.2f}"
              f" | {100 * fastest['exposed_seconds'] / fastest['seconds']:.0f} % |")
END
