#!/usr/bin/env bash
# From nothing to a trained model: installs what is missing, builds, takes the Cora graph, trains a GCN on 2 ranks.
#
#   scripts/quickstart.sh [-n RANKS] [--from MIRROR] [--generated] [--skip-install]
#
#   -n RANKS         MPI ranks (2)
#   --from MIRROR    a folder or base address that holds cora.npz (also by HALOGNN_MIRROR); an error if it does not
#   --generated      a generated graph even where Cora can be had
#   --skip-install   does not look at the packages
#
# Cora comes from ../shared/data where that is there, or else is downloaded (scripts/get_dataset.sh), or else a graph is generated.
# What it makes is in build/release, data/ and runs/.
. "$(dirname "$0")/common.sh"
cd "$ROOT"

ranks=2 mirror=${HALOGNN_MIRROR:-} generated='' install=yes
while [ "$#" -gt 0 ]; do
  case "$1" in
    -n | --from) [ "$#" -ge 2 ] || die "$1 needs a value" ;;
  esac
  case "$1" in
    -n) ranks=$2 && shift ;;
    --from) mirror=$2 && shift ;;
    --generated) generated=yes ;;
    --skip-install) install='' ;;
    -h | --help)
      usage_of "$0"
      exit 0
      ;;
    *) die "unknown option '$1'; see --help" ;;
  esac
  shift
done
case "$ranks" in '' | *[!0-9]* | 0) die "-n $ranks: expected a number of ranks" ;; esac

build() {
  local log=build/quickstart.log tests=OFF
  mkdir -p build
  if pkg-config --exists criterion; then tests=ON; fi
  say "building (log in $log)"
  if ! { cmake --preset release -DHALOGNN_TESTS=$tests && cmake --build --preset release -j "$(cores)" --target halognn; } >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    die "the build failed; the lines above and $log say why"
  fi
}

# find_data: sets npz, source, and the import options that the file needs; empty npz: there is none
find_data() {
  npz='' source='' import=()
  [ -z "$generated" ] || return 0
  if [ -z "$mirror" ] && [ -f ../shared/data/cora.npz ]; then
    npz=../shared/data/cora.npz source="Cora from ../shared/data, with its public split"
  elif npz=$(scripts/get_dataset.sh cora ${mirror:+--from "$mirror"}); then
    source="Cora from its public home, with a split of the same sizes as the public one drawn here"
    import=(--symmetrize --split planetoid)
  else
    [ -z "$mirror" ] || die "the mirror $mirror does not give Cora; the lines above say why"
    npz=''
  fi
}

[ -z "$install" ] || scripts/install_deps.sh --build
build
halognn=build/release/halognn
mkdir -p data

find_data
if [ -n "$npz" ]; then
  name=cora_gcn graph=data/cora.hg
  say "data: $source"
  "$halognn" import npz "$npz" -o "$graph" "${import[@]}" || die "halognn import failed"
else
  name=csbm_gcn graph=data/csbm.hg
  say "data: a generated graph (contextual stochastic block model, 2,700 nodes, 7 classes)$([ -n "$generated" ] || echo '; Cora could not be had')"
  "$halognn" generate csbm -o "$graph" --nodes 2700 --degree 4 --classes 7 --features 64 --seed 1 || die "halognn generate failed"
fi

say "training configs/cora_gcn.yaml on $ranks ranks"
scripts/mpirun.sh -n "$ranks" "$halognn" train configs/cora_gcn.yaml --set "dataset.path=$graph" --set "name=$name" --output "runs/$name" ||
  die "training failed; runs/$name/log.txt has more"
say "done: the run is in runs/$name (summary.json, metrics.jsonl, config.yaml, checkpoints/)"
