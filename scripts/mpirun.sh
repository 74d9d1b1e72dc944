#!/usr/bin/env bash
# mpirun for one machine, however small: as root, in a container, with more ranks than cores.
#
#   scripts/mpirun.sh -n 4 build/release/halognn train configs/cora_gcn.yaml
#
# Takes mpirun's own arguments. Everything is set by environment variables, and none that you set yourself is changed.
# On a cluster use the site's mpirun or srun instead (scripts/slurm_example.sbatch).
. "$(dirname "$0")/common.sh"

command -v mpirun >/dev/null || die "mpirun is not installed; run scripts/install_deps.sh"

ranks=1
previous=
for argument in "$@"; do
  case "$previous" in -n | -np | -c | --n | --np) ranks=$argument && break ;; esac
  previous=$argument
done
case "$ranks" in '' | *[!0-9]* | 0) die "-n $ranks: expected a number of ranks" ;; esac

default() { [ -n "${!1:-}" ] || export "$1=$2"; }

# Open MPI refuses root, and more ranks than cores, unless told (the PRTE names are Open MPI 5's).
default OMPI_ALLOW_RUN_AS_ROOT 1
default OMPI_ALLOW_RUN_AS_ROOT_CONFIRM 1
default OMPI_MCA_rmaps_base_oversubscribe 1
default PRTE_MCA_rmaps_default_mapping_policy :oversubscribe
# By default it pins a rank, and so all of its threads, to one core.
default OMPI_MCA_hwloc_base_binding_policy none
default PRTE_MCA_hwloc_default_binding_policy none
threads=$(($(cores) / ranks))
default OMP_NUM_THREADS $((threads > 0 ? threads : 1))
# Waiting threads sleep after microseconds, not milliseconds; HaloGNN would set it and start anew.
[ -n "${OMP_WAIT_POLICY:-}" ] || default GOMP_SPINCOUNT 1000
# Waiting ranks spin. Where no core is to spare, they must give theirs away: to each other, to the coordinator's thread, to other programs
# (on two busy cores Cora took 4.9 s so, and 29 s without).
if [ $((ranks * OMP_NUM_THREADS)) -ge "$(cores)" ]; then default OMPI_MCA_mpi_yield_when_idle 1; fi
# Containers forbid process_vm_readv, by which ranks read each other's memory.
if [ "$(id -u)" = 0 ] || [ -e /.dockerenv ] || [ -e /run/.containerenv ]; then default OMPI_MCA_btl_vader_single_copy_mechanism none; fi

exec mpirun "$@"
