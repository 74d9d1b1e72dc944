#pragma once
#include "bench/bench.h"
#include "runtime/train/trainer.h"

/**
 * What an epoch of training on one graph must do at least, as the sum over its kernels of what each must compute, read
 * and write. A kernel's operands count once however often it goes over them. Nothing is saved by fusing kernels: one
 * that is fused with its neighbour can be faster than the sum of their floors.
 */
typedef struct {
  double flops;   ///< of all kernels
  double bytes;   ///< of all kernels
  double floor_s; ///< sum of the kernels' floors: of each the larger of flops over peak and bytes over bandwidth
} hg_epoch_work;

/**
 * Of all ranks together, with all nodes of the graph in every layer.
 * @param limits   of all ranks together
 * @return         zeros for a collection of graphs: what its batches hold changes from epoch to epoch
 */
hg_epoch_work hg_epoch_work_count(const hg_trainer *trainer, const hg_bench_limits *limits);
