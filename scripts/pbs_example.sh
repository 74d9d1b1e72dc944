#!/usr/bin/env bash
# HaloGNN under PBS: 4 nodes, 2 ranks a node, 16 threads a rank.
#
#   qsub -v CONFIG=configs/cora_gcn.yaml scripts/pbs_example.sh
#
#PBS -N halognn
#PBS -l select=4:ncpus=32:mpiprocs=2:ompthreads=16
#PBS -l walltime=01:00:00
#PBS -j oe
set -euo pipefail

cd "$PBS_O_WORKDIR"
config=${CONFIG:?give qsub -v CONFIG=FILE}
halognn=${HALOGNN:-build/release/halognn}

# Your site's compiler and MPI, the ones that HaloGNN was built with:
# module load gcc openmpi

ranks=$(wc -l <"$PBS_NODEFILE")
mpirun -n "$ranks" --map-by "slot:PE=${OMP_NUM_THREADS:-16}" --bind-to core -x OMP_NUM_THREADS \
  "$halognn" train "$config" --output "runs/$(basename "$config" .yaml)" --resume
