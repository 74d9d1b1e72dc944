#!/usr/bin/env bash
# Runs an experiment on several numbers of ranks; makes a table, a CSV file and a plot of epoch time, speed-up, phases and bytes.
#
#   scripts/scaling_study.sh CONFIG RANKS...       usage: scaling_study.sh configs/cora_gcn.yaml 1 2 4 8
#
# STUDY_DIR (runs/scaling_NAME) takes a folder for each run, scaling.csv, scaling.png and scaling.svg. A run that is finished is kept:
# start it again after a failure and it goes on. TRAIN_OPTIONS is added to each `halognn train` ("--set repeat=1 --threads 2").
# LAUNCHER (scripts/mpirun.sh -n) is put before the number of ranks: "srun -n" on a cluster. HALOGNN is the program (build/release/halognn).
. "$(dirname "$0")/common.sh"

[ "$#" -gt 0 ] || die "usage: scaling_study.sh CONFIG RANKS..., for example configs/cora_gcn.yaml 1 2 4 8"
case "$1" in
  -h | --help)
    usage_of "$0"
    exit 0
    ;;
esac
config=$1
shift
[ -f "$config" ] || die "$config: no such file"
[ "$#" -gt 0 ] || set -- 1 2 4 8
for ranks in "$@"; do
  case "$ranks" in '' | *[!0-9]* | 0) die "'$ranks' is not a number of ranks" ;; esac
done

halognn=${HALOGNN:-$ROOT/build/release/halognn}
[ -x "$halognn" ] || die "$halognn is not built: cmake --preset release && cmake --build --preset release"
read -r -a options <<<"${TRAIN_OPTIONS:-}"
read -r -a launcher <<<"${LAUNCHER:-$ROOT/scripts/mpirun.sh -n}"
study=${STUDY_DIR:-runs/scaling_$(basename "$config" .yaml)}
mkdir -p "$study"

runs=()
for ranks in "$@"; do
  run=$study/ranks_$ranks
  runs+=("$run")
  if grep -qs '"status": *"finished"' "$run/summary.json"; then
    say "$ranks ranks: $run is done already"
    continue
  fi
  say "$ranks ranks: running"
  "${launcher[@]}" "$ranks" "$halognn" train "$config" --output "$run" --quiet "${options[@]}" ||
    die "the run on $ranks ranks failed (status $?); $run/log.txt has more"
done

"$PYTHON" "$ROOT/scripts/scaling_table.py" "$study" "${runs[@]}"
if command -v gnuplot >/dev/null; then
  columns=$(awk -F, 'NR == 1 { print NF }' "$study/scaling.csv")
  for kind in png svg; do
    gnuplot -e "folder = '$study'; name = '$(basename "$config" .yaml)'; kind = '$kind'; columns = $columns" "$ROOT/scripts/scaling.gnuplot"
  done
  say "written: $study/scaling.csv, scaling.png, scaling.svg"
else
  say "written: $study/scaling.csv; for the plot install gnuplot-nox"
fi
