#!/usr/bin/env bash
# The scripts say what is wrong, and leave nothing half done.
. "$(dirname "$0")/../../scripts/common.sh"
. "$(dirname "$0")/expect.sh"
cd "$ROOT"

mirror=$work/mirror
mkdir -p "$mirror" "$work/empty"
printf 'not cora' >"$mirror/cora.npz"

expect 0 'cora' scripts/get_dataset.sh --list
expect 1 'which data set' scripts/get_dataset.sh
expect 1 "no data set 'nora'; there are: cora" scripts/get_dataset.sh nora
expect 1 '--from needs a value' scripts/get_dataset.sh cora --from
expect 1 "$mirror/cora.npz: sha256 is" scripts/get_dataset.sh cora --from "$mirror" -o "$work/data"
expect 1 "$work/empty/cora.npz: no such file in the mirror" scripts/get_dataset.sh cora --from "$work/empty" -o "$work/data"
expect 1 'could not be fetched' scripts/get_dataset.sh cora --from "file://$work/empty" -o "$work/data"
expect 1 'cannot make the folder' scripts/get_dataset.sh cora --from "$mirror" -o "$mirror/cora.npz/below"
expect 0 '' find "$work/data" -type f
[ ! -s "$work/output" ] || { failed=$((failed + 1)) && echo "FAILED: files were left behind: $(cat "$work/output")"; }
mkdir -p "$work/other" && cp "$mirror/cora.npz" "$work/other"
expect 1 'is another file than' scripts/get_dataset.sh cora --from "$mirror" -o "$work/other"
original=../shared/data/raw/gnn-benchmark
if [ -f "$original/cora.npz" ]; then
  expect 0 "$work/data/cora.npz" scripts/get_dataset.sh cora --from "$original" -o "$work/data"
  expect 0 'is here already' scripts/get_dataset.sh cora --from "$work/empty" -o "$work/data"
  expect 0 "$work/url/cora.npz" env HALOGNN_MIRROR="file://$(cd "$original" && pwd)" scripts/get_dataset.sh cora -o "$work/url"
fi

expect 1 "unknown option '--fast'" scripts/quickstart.sh --fast
expect 1 '-n two: expected a number of ranks' scripts/quickstart.sh -n two
expect 1 "unknown option '--all'" scripts/install_deps.sh --all
expect 0 'libmetis-dev' scripts/install_deps.sh --list
expect 1 "no stage 'unot'; there are: deps format" scripts/test.sh unot
expect 1 '-n x: expected a number of ranks' scripts/mpirun.sh -n x true
expect 0 '' scripts/mpirun.sh -n 3 sh -c 'test "$OMPI_COMM_WORLD_SIZE" = 3'
expect 2 '' scripts/mpirun.sh -n 2 sh -c 'exit 2'
expect 1 'usage: scaling_study.sh' scripts/scaling_study.sh
expect 1 'usage: halo_precision.sh' scripts/halo_precision.sh
expect 0 'PRECISIONS' scripts/halo_precision.sh --help
expect 0 'take turns' scripts/plan_accuracy.sh --help
expect 1 "unknown option '--quick'" scripts/plan_accuracy.sh --quick
expect 1 'there is no configs/nora_gcn.yaml' scripts/plan_accuracy.sh nora
expect 1 'no-such.yaml: no such file' scripts/scaling_study.sh no-such.yaml 1 2
expect 1 "'two' is not a number of ranks" scripts/scaling_study.sh configs/cora_gcn.yaml 1 two

# A machine where installing cannot work: no package is there, and apt-get is missing or broken, or there is no sudo.
tools=$work/bin
mkdir -p "$tools"
for tool in bash dirname basename env id mktemp tail rm awk cat; do ln -s "$(command -v "$tool")" "$tools/$tool"; done
expect 1 'no apt-get here' env PATH="$tools" scripts/install_deps.sh
printf '#!/bin/sh\necho "Temporary failure resolving deb.debian.org"\nexit 100\n' >"$tools/apt-get"
printf '#!/bin/sh\nexec "$@"\n' >"$tools/sudo"
chmod +x "$tools/apt-get" "$tools/sudo"
expect 1 'Temporary failure resolving' env PATH="$tools" scripts/install_deps.sh
expect 1 'apt-get could not install build-essential' env PATH="$tools" scripts/install_deps.sh
rm "$tools/sudo" "$tools/id"
printf '#!/bin/sh\necho 1000\n' >"$tools/id"
chmod +x "$tools/id"
expect 1 'not root, and there is no sudo' env PATH="$tools" scripts/install_deps.sh
printf '#!/bin/sh\nexit 1\n' >"$tools/sudo"
chmod +x "$tools/sudo"
expect 1 'sudo does not let this user in' env PATH="$tools" scripts/install_deps.sh
expect 1 "no graph 'x'; there are: arxiv_like" scripts/bench_all.sh x
expect 1 "--repeat needs a value" scripts/bench_all.sh --repeat
expect 1 "--set needs KEY=VALUE" scripts/bench_all.sh --set
expect 0 "Whole epochs beside" scripts/bench_all.sh --help
expect 1 'usage: bench_network.sh' scripts/bench_network.sh
expect 1 "no-such.yaml: no such file" scripts/bench_network.sh no-such.yaml
expect 1 "unknown option '--fast'" scripts/bench_network.sh --fast
expect 1 "--epochs 2: expected at least 3" scripts/bench_network.sh --epochs 2 configs/cora_gcn.yaml
summary
