#!/usr/bin/env bash
# Training on 2 and 4 hosts, which tests/support/hosts.sh makes: losses follow the run on one rank, the coordinator is reached by tcp, and
# when a rank or a host dies the job ends at once. HALOGNN is the program (build/release/halognn).
. "$(dirname "$0")/../../scripts/common.sh"
. "$(dirname "$0")/expect.sh"
cd "$ROOT"
halognn=${HALOGNN:-$ROOT/build/release/halognn}
on_hosts=tests/support/hosts.sh

expect 0 'Runs mpirun over several hosts' "$on_hosts" --help
expect 1 "--hosts two: expected a number from 1 to 99" "$on_hosts" --hosts two true
expect 1 "--rate needs a value" "$on_hosts" --rate
expect 1 'nothing to run' "$on_hosts" --hosts 2
mkdir "$work/bin"
for tool in bash dirname basename; do ln -s "$(command -v "$tool")" "$work/bin/$tool"; done
expect 1 'ip is missing' env PATH="$work/bin" "$on_hosts" --check
if ! "$on_hosts" --check; then
  say 'SKIPPED: training on several hosts, for the reason above'
  summary
  exit
fi
export OMP_NUM_THREADS=1

# abandoned: namespaces whose script is gone
abandoned() {
  local id
  for id in $(ip netns list | sed -nE 's/^halo([0-9]+)-.*/\1/p' | sort -u); do [ -d "/proc/$id" ] || printf 'halo%s\n' "$id"; done
}
expect 1 "--rate fast: tc does not take it" "$on_hosts" --rate fast -n 2 true
expect 0 host2 "$on_hosts" --hosts 2 --rate 1gbit -n 4 sh -c 'test "$(hostname)" = host$((OMPI_COMM_WORLD_RANK / 2 + 1)) && hostname'
expect 7 '' "$on_hosts" --hosts 2 -n 2 sh -c 'exit 7'

# A graph of the size of Cora. No batch norm: it lets one ReLU that rounding switches be seen in every row (3e-4 of the loss after 100 epochs).
"$halognn" generate csbm -o "$work/graph.hg" --nodes 2708 --degree 4 --classes 7 --features 64 --seed 1 >/dev/null
cat >"$work/gcn.yaml" <<END
name: hosts
seed: 1
dataset: {path: $work/graph.hg}
model: {type: gcn, layers: 3, hidden: 16, dropout: 0.5}
train: {epochs: 100, learning_rate: 0.01, evaluate_every: 10}
END

same_losses() { # same_losses RUN...: each follows the first, to a relative 1e-4
  "$PYTHON" - "$@" <<'END'
import json, sys
curves = [[json.loads(line)["train_loss"] for line in open(run + "/metrics.jsonl")] for run in sys.argv[1:]]
for run, curve in zip(sys.argv[2:], curves[1:]):
    assert len(curve) == len(curves[0]) == 100, f"{run}: {len(curve)} epochs"
    worst = max(abs(a - b) / abs(a) for a, b in zip(curves[0], curve))
    assert worst <= 1e-4, f"{run}: a loss differs by {worst:.1e}"
    print(f"{run}: losses differ by at most {worst:.1e}")
END
}
expect 0 '' "$halognn" train "$work/gcn.yaml" --quiet --output "$work/one"
for hosts in 2 4; do
  expect 0 'finished' "$on_hosts" --hosts "$hosts" --rate 1gbit -n "$hosts" "$halognn" train "$work/gcn.yaml" --quiet --output "$work/on_$hosts"
  expect 0 '"host2"' cat "$work/on_$hosts/environment.json"
done
expect 0 'losses differ by at most' same_losses "$work/one" "$work/on_2" "$work/on_4"

fewer_bytes() { # fewer_bytes RUN LESS: the same losses to the bit, and LESS sends at most 0.8 of the bytes
  "$PYTHON" - "$@" <<'END'
import json, sys
runs = [[json.loads(line) for line in open(run + "/metrics.jsonl")] for run in sys.argv[1:]]
assert [e["train_loss"] for e in runs[0]] == [e["train_loss"] for e in runs[1]], "other losses"
ratio = runs[1][-1]["halo_bytes"] / runs[0][-1]["halo_bytes"]
assert 0.2 < ratio <= 0.8, f"{ratio:.2f} of the bytes"
print(f"the same losses for {ratio:.2f} of the bytes")
END
}
expect 0 'finished' "$on_hosts" --hosts 2 -n 2 "$halognn" train "$work/gcn.yaml" --quiet --output "$work/zeros" --set halo.skip_zeros=never
expect 0 'the same losses for' fewer_bytes "$work/zeros" "$work/on_2"

expect 0 '' sh -c "'$on_hosts' --hosts 2 --rate 1gbit -n 4 '$halognn' bench exchange --seconds 0.01 --threads 1 --graph '$work/graph.hg' --json >'$work/net.json'"
expect 0 '1 MiB, between hosts' cat "$work/net.json"
expect 0 'halo nonzero' "$halognn" plan "$work/gcn.yaml" -k 4 --ranks-per-host 2 --seconds 0 --network "$work/net.json"
expect 0 'parallel.mode auto: 1 part x 2 columns' "$on_hosts" --hosts 2 --rate 1gbit -n 2 "$halognn" train "$work/gcn.yaml" \
  --output "$work/auto" --set parallel.mode=auto --set train.epochs=3

# Four ranks on two hosts: what two ranks of a host need crosses once, as plan has counted, and the losses are the same.
between() { # between RANKS MERGED PLAN: bytes are those of the plan, and fewer where they are merged
  "$PYTHON" - "$@" <<'END'
import json, sys
ranks, merged = (json.load(open(run + "/summary.json")) for run in sys.argv[1:3])
schemes = {s["name"]: s for s in json.load(open(sys.argv[3]))[0]["schemes"]}
key = "halo_bytes_between_hosts_per_epoch"
for run, name in ((ranks, "halo float32"), (merged, "merged hosts")):
    assert run["hosts"] == 2 and abs(run[key] - schemes[name]["bytes_between_hosts"]) < 1, (name, run[key], schemes[name])
assert merged[key] < ranks[key]
assert merged["halo_bytes_within_hosts_per_epoch"] == ranks["halo_bytes_within_hosts_per_epoch"]
print(f"{merged[key]} of {ranks[key]} bytes between hosts")
END
}
"$halognn" plan "$work/gcn.yaml" -k 4 --ranks-per-host 2 --seconds 0 --json --set partition.hosts=auto >"$work/plan.json"
for way in ranks merged; do
  expect 0 'finished' "$on_hosts" --hosts 2 --rate 1gbit -n 4 "$halognn" train "$work/gcn.yaml" --quiet --output "$work/$way" \
    --set halo.hosts=$way --set partition.hosts=auto --set train.active_sets=false --set halo.skip_zeros=never
done
expect 0 'finished' "$on_hosts" --hosts 2 --rate 1gbit -n 4 "$halognn" train "$work/gcn.yaml" --quiet --output "$work/packed" \
  --set halo.hosts=merged --set partition.hosts=auto --set train.active_sets=false
expect 0 'losses differ by at most' same_losses "$work/one" "$work/ranks" "$work/merged"
expect 0 'the same losses for' fewer_bytes "$work/merged" "$work/packed"
expect 0 'bytes between hosts' between "$work/ranks" "$work/merged" "$work/plan.json"

expect 2 'found ipc with ranks on several hosts' "$on_hosts" --hosts 2 -n 2 "$halognn" train "$work/gcn.yaml" --output "$work/ipc" \
  --set coordinator.transport=ipc

expect 0 '| 100mbit | 2 |' env HALOGNN="$halognn" scripts/bench_network.sh --hosts 2 --rates 100mbit --repeat 1 --epochs 5 "$work/gcn.yaml"

wait_for() { # wait_for SECONDS COMMAND...: until the command succeeds
  local tenths=$(($1 * 10))
  shift
  while ! "$@" >/dev/null 2>&1; do
    [ $((tenths -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
ended() { ! kill -0 "$1"; }

# ends_after NAME WHAT: an endless run on two hosts, of which WHAT then takes something away, has ended within 10 s with a message
ends_after() {
  local run=$work/$1 job status=0
  "$on_hosts" --hosts 2 -n 2 sh -c "echo \$\$ >$run.pid\$OMPI_COMM_WORLD_RANK; exec $halognn train $work/gcn.yaml --quiet --output $run \
    --set train.epochs=1000000 --set train.evaluate_every=1000" >"$run.output" 2>&1 &
  job=$!
  wait_for 20 grep -q '"epoch":20,' "$run/metrics.jsonl" || { cat "$run.output" && return 1; }
  cat "$run/coordinator.json" || true
  "$2" "$run" "$job"
  wait_for 10 ended "$job" || { echo 'still there after 10 s' && kill -TERM "$job" && wait "$job"; return 1; }
  wait "$job" || status=$?
  printf 'status %s\n' "$status" >>"$run.output"
  cat "$run.output"
}
kill_rank() { kill -KILL "$(cat "$1.pid1")"; }
kill_daemon() { kill -KILL "$(awk '$1 == "PPid:" { print $2 }' "/proc/$(cat "$1.pid1")/status")"; } # mpirun's on host2
kill_script() { kill -KILL "$2"; }
interrupt() { kill -TERM "$2"; }
expect 0 'tcp://10.77.0.1:' ends_after rank kill_rank
expect 0 'exited on signal 9 (Killed)' cat "$work/rank.output"
expect 0 'status 137' cat "$work/rank.output"
expect 0 'host2' ends_after host kill_daemon
expect 0 'signal TERM: taking the hosts down' ends_after interrupted interrupt
expect 0 '' test -z "$(abandoned)"
expect 0 'status 137' ends_after script kill_script
expect 0 '' test -n "$(abandoned)"
expect 0 '' "$on_hosts" --hosts 2 -n 1 true # the next one finds what it left
expect 0 '' test -z "$(abandoned)"
summary
