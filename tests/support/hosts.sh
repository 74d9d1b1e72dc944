#!/usr/bin/env bash
# Runs mpirun over several hosts on one machine: network namespaces with a hostname, an address and a link of their own, joined by a
# switch. Ranks of different hosts share no memory and talk over TCP. Everything is taken down again at the end, whatever the end is.
#
#   tests/support/hosts.sh [--hosts 2] [--rate RATE] [--delay TIME] MPIRUN_ARGUMENTS...
#   tests/support/hosts.sh --check        exit status 0 when hosts can be made here, 1 with the reason when not
#
#   tests/support/hosts.sh --hosts 4 --rate 100mbit -n 4 build/release/halognn train configs/cora_gcn.yaml
#
# --rate   of each host's link, in both directions, as tc writes it (1gbit, 100mbit); without it as fast as memory
# --delay  from a host to the switch (100us, 1ms); needs a kernel with netem
# Ranks fill the hosts in turn, as many on each; the hosts are named host1, host2, ... Needs root and iproute2.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"

hosts=2 rate='' delay='' # what the command line says
name=halo$$              # of our namespaces: halo123-switch, halo123-host1, ...
subnet=10.77.0           # seen by nobody but the hosts
work=''

# hosts_possible: says why not, when hosts cannot be made here
hosts_possible() {
  local tool probe=$name-probe
  for tool in ip tc unshare mpirun; do
    command -v "$tool" >/dev/null || { say "no hosts can be made: $tool is missing (scripts/install_deps.sh --tests)" && return 1; }
  done
  [ "$(id -u)" = 0 ] || { say 'no hosts can be made: network namespaces need root' && return 1; }
  if ! ip netns add "$probe" 2>/dev/null; then
    say 'no hosts can be made: this system (a container?) forbids network namespaces'
    return 1
  fi
  local status=0
  ip -n "$probe" link add probe0 type bridge 2>/dev/null &&
    ip -n "$probe" link add probe1 type veth peer name probe2 2>/dev/null &&
    ip netns exec "$probe" unshare --uts --ipc hostname probe 2>/dev/null || status=1
  ip netns del "$probe"
  [ "$status" = 0 ] || say 'no hosts can be made: this system allows no bridge, veth pair or hostname of their own'
  return "$status"
}

# remove NAME: ends what runs in the namespaces of NAME, and removes them and its files; their links go with them
remove() {
  local space pids
  for space in $(ip netns list | awk -v name="$1-" 'index($1, name) == 1 { print $1 }'); do
    mapfile -t pids < <(ip netns pids "$space")
    [ "${#pids[@]}" -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
    ip netns del "$space" || true
  done
  rm -rf "/tmp/halognn-$1-"*
}

# remove_stale: what a killed run of this script has left behind
remove_stale() {
  local id
  for id in $(ip netns list | sed -nE 's/^halo([0-9]+)-.*/\1/p' | sort -u); do
    [ -d "/proc/$id" ] || remove "halo$id"
  done
}

# shape NAMESPACE DEVICE: what leaves this device is sent at --rate, after --delay
shape() {
  local parent=(root)
  if [ -n "$rate" ]; then
    # A burst of 128 kB lasts 1 ms at 1 Gbit/s; the queue holds what arrives in a quarter of a second, so that a switch drops little.
    ip netns exec "$1" tc qdisc add dev "$2" "${parent[@]}" handle 1: tbf rate "$rate" burst 128kb latency 250ms ||
      die "--rate $rate: tc does not take it, or this kernel has no tbf"
    parent=(parent 1:)
  fi
  [ -z "$delay" ] || ip netns exec "$1" tc qdisc add dev "$2" "${parent[@]}" handle 2: netem delay "$delay" limit 100000 ||
    die "--delay $delay: tc does not take it, or this kernel has no netem"
}

make_hosts() {
  local k switch=$name-switch host
  ip netns add "$switch"
  ip -n "$switch" link add bridge type bridge
  ip -n "$switch" link set bridge up
  : >"$work/hosts"
  for ((k = 1; k <= hosts; k++)); do
    host=$name-host$k
    ip netns add "$host"
    ip -n "$switch" link add "port$k" type veth peer name eth0 netns "$host"
    ip -n "$switch" link set "port$k" master bridge up
    ip -n "$host" addr add "$subnet.$k/24" dev eth0
    ip -n "$host" link set eth0 up
    ip -n "$host" link set lo up
    printf '%s host%s\n' "$subnet.$k" "$k" >>"$work/hosts"
    shape "$host" eth0
    delay='' shape "$switch" "port$k"
  done
  printf '127.0.0.1 localhost\n' >>"$work/hosts"
}

# enter.sh HOST COMMAND...: runs a shell command on a host, as ssh would; mpirun starts its daemons by it
write_agent() {
  cat >"$work/enter.sh" <<AGENT
#!/bin/sh
host=\$1
shift
exec ip netns exec $name-\$host unshare --uts --ipc sh -c 'hostname \$0 && mount --bind $work/hosts /etc/hosts && eval "\$*"' \$host "\$@"
AGENT
  chmod +x "$work/enter.sh"
}

clean_up() {
  trap - EXIT
  [ -n "$work" ] || return 0
  remove "$name"
}

# ranks_of MPIRUN_ARGUMENTS...: what follows -n
ranks_of() {
  local previous='' argument
  for argument in "$@"; do
    case "$previous" in -n | -np) printf '%s\n' "$argument" && return ;; esac
    previous=$argument
  done
  printf '%s\n' "$hosts"
}

run() {
  local ranks slots list='' k status=0
  ranks=$(ranks_of "$@")
  case "$ranks" in '' | *[!0-9]* | 0) die "-n $ranks: expected a number of ranks" ;; esac
  slots=$(((ranks + hosts - 1) / hosts))
  for ((k = 1; k <= hosts; k++)); do list+=${list:+,}host$k:$slots; done
  export OMPI_MCA_plm_rsh_agent=$work/enter.sh OMPI_MCA_plm=rsh OMPI_MCA_pml=ob1 OMPI_MCA_btl=tcp,vader,self
  export OMPI_MCA_btl_tcp_if_include=eth0 OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_orte_tmpdir_base=$work
  # In the background, since a shell that waits for a command in the foreground hears no signal before its end.
  "$work/enter.sh" host1 "cd $(printf %q "$PWD") && exec $(printf '%q ' "$ROOT/scripts/mpirun.sh" --host "$list" "$@")" <&0 &
  mpirun=$!
  wait "$mpirun" || status=$?
  return "$status"
}

stop() { # stop SIGNAL: mpirun ends its ranks in order; what is left after that is removed by clean_up
  say "signal $1: taking the hosts down"
  kill -TERM "$mpirun" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$mpirun" 2>/dev/null || break
    sleep 0.1
  done
  exit $((128 + $(kill -l "$1")))
}

value() { [ "$#" -gt 1 ] || die "$1 needs a value"; }
while [ "$#" -gt 0 ]; do
  case "$1" in
    --hosts) value "$@" && hosts=$2 && shift 2 ;;
    --rate) value "$@" && rate=$2 && shift 2 ;;
    --delay) value "$@" && delay=$2 && shift 2 ;;
    --check) hosts_possible && exit 0 || exit 1 ;;
    -h | --help) usage_of "$0" && exit 0 ;;
    *) break ;;
  esac
done
case "$hosts" in [1-9] | [1-9][0-9]) ;; *) die "--hosts $hosts: expected a number from 1 to 99" ;; esac
[ "$#" -gt 0 ] || die 'nothing to run; usage: hosts.sh [--hosts 2] [--rate RATE] [--delay TIME] MPIRUN_ARGUMENTS...'
hosts_possible || exit 1
remove_stale
work=$(mktemp -d "/tmp/halognn-$name-XXXXXX")
mpirun=''
trap clean_up EXIT
for signal in INT TERM HUP; do
  # shellcheck disable=SC2064 # the signal's name now, not when it comes
  trap "stop $signal" "$signal"
done
make_hosts
write_agent
run "$@"
